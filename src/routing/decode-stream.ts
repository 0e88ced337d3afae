import type { StreamEvent } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import { type SseFrame, SseFramer } from '../core/sse.ts'
import type { ReplyFrame } from '../pipeline/reply.ts'
import type { Dialect } from '../providers/provider.ts'

export interface DecodeOptions {
  readonly body: AsyncIterable<Uint8Array>
  readonly dialect: Dialect
  /** The caller reads the provider's format: keep the bytes. */
  readonly keepRaw: boolean
  readonly onEvent: (event: StreamEvent) => void
  /** @returns what a failure of the connection means */
  readonly toError: (error: unknown) => GatewayError
  /** Once, when nothing more will come; `undefined` = the reply was complete, `client_closed` = its reader left. */
  readonly onEnd: (error: GatewayError | undefined) => void
}

/** What an end without a terminator adds to forwarded bytes. */
const NOTHING = new Uint8Array()

/**
 * Reads a provider's stream as frames. However it breaks, it ends in an `error` event and never as if complete;
 * whoever stops reading early closes the connection to the provider.
 */
export async function* decodeStream(options: DecodeOptions): AsyncGenerator<readonly ReplyFrame[]> {
  const { dialect, keepRaw, onEvent } = options
  const framer = new SseFramer()
  const state = dialect.newStreamState()
  let complete = false
  let failure: GatewayError | undefined

  function step(frame: SseFrame): ReplyFrame {
    return note(dialect.fromEvent(state, frame), keepRaw ? frame.raw : undefined)
  }

  function lastWords(): ReplyFrame {
    return note(dialect.fromEnd?.(state) ?? [], keepRaw ? NOTHING : undefined)
  }

  function note(events: readonly StreamEvent[], raw: Uint8Array | undefined): ReplyFrame {
    for (const event of events) {
      onEvent(event)
      if (event.type === 'reply-end') complete = true
      else if (event.type === 'error') {
        failure ??= new GatewayError('upstream_error', {
          message: event.error.message,
          detail: { ...event.error },
        })
      }
    }
    return { raw, events }
  }

  try {
    for await (const chunk of options.body) {
      const frames = framer.push(chunk)
      if (frames.length > 0) yield frames.map(step)
    }
    const rest = framer.flush()
    if (rest.length > 0) yield rest.map(step)
    if (!complete && failure === undefined) yield [lastWords()]
    if (!complete && failure === undefined) {
      throw new GatewayError('upstream_error', {
        message: 'The provider ended the stream before the reply was complete.',
      })
    }
  } catch (error) {
    failure ??= options.toError(error)
    if (!complete) yield [{ raw: undefined, events: [toErrorEvent(failure)] }]
  } finally {
    options.onEnd(complete ? undefined : (failure ?? readerLeft()))
  }
}

function readerLeft(): GatewayError {
  return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
}

function toErrorEvent(error: GatewayError): StreamEvent {
  return { type: 'error', error: { code: error.code, type: error.spec.type, message: error.message } }
}
