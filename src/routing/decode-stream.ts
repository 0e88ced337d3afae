import type { StreamEvent } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import { type SseFrame, SseFramer } from '../core/sse.ts'
import type { ReplyFrame } from '../pipeline/reply.ts'
import type { Dialect } from '../providers/provider.ts'

export interface DecodeOptions {
  readonly body: AsyncIterable<Uint8Array> & { destroy(): unknown }
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
const BLANK_LINE = Buffer.from('\n\n')

/**
 * Reads a provider's stream as frames. However it breaks, it ends in an `error` event and never as if complete;
 * whoever stops reading early, or never begins, closes the connection to the provider.
 */
export function decodeStream(options: DecodeOptions): AsyncGenerator<readonly ReplyFrame[]> {
  let begun = false
  const frames = decode(options, () => {
    begun = true
  })
  // A generator that never began skips its own `finally`.
  const leave = frames.return.bind(frames)
  frames.return = (value) => {
    if (!begun) {
      begun = true
      options.body.destroy()
      options.onEnd(readerLeft())
    }
    return leave(value)
  }
  return frames
}

async function* decode(options: DecodeOptions, onBegin: () => void): AsyncGenerator<readonly ReplyFrame[]> {
  onBegin()
  const { dialect, keepRaw, onEvent } = options
  const framer = new SseFramer()
  const state = dialect.newStreamState()
  let complete = false
  let failure: GatewayError | undefined

  function step(frame: SseFrame): ReplyFrame {
    const read = note(dialect.fromEvent(state, frame), keepRaw ? frame.raw : undefined)
    // An event that only we could not read says nothing to the caller: our error takes its place.
    return failure === undefined || isProvidersError(frame) ? read : { raw: undefined, events: read.events }
  }

  /** Frames up to the one that ends the stream for good: what follows an error would look like a whole reply. */
  function stepAll(frames: readonly SseFrame[]): ReplyFrame[] {
    const read: ReplyFrame[] = []
    for (const frame of frames) {
      read.push(step(frame))
      if (failure !== undefined) break
    }
    return read
  }

  /** An event without its blank line: a client has to see what we saw, and nothing of one that was cut. */
  function stepUnended(frame: SseFrame): ReplyFrame {
    const { events } = step(frame)
    const raw = keepRaw && failure === undefined ? Buffer.concat([frame.raw, BLANK_LINE]) : undefined
    return { raw, events }
  }

  function lastWords(): ReplyFrame {
    return note(dialect.fromEnd?.(state) ?? [], keepRaw ? NOTHING : undefined)
  }

  function note(events: readonly StreamEvent[], raw: Uint8Array | undefined): ReplyFrame {
    for (const event of events) {
      // Nothing after an error may look like the end of a reply.
      if (event.type === 'reply-end' && failure !== undefined) return { raw, events: events.filter(isNoEnd) }
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
      if (frames.length > 0) yield stepAll(frames)
      if (failure !== undefined) break
    }
    const rest = failure === undefined ? framer.flush() : []
    if (rest.length > 0) yield rest.map(stepUnended)
    if (!complete && failure === undefined) yield [lastWords()]
    if (!complete && failure === undefined) {
      throw new GatewayError('upstream_error', {
        message: 'The provider ended the stream before the reply was complete.',
      })
    }
  } catch (error) {
    const isTold = complete || failure !== undefined
    failure ??= options.toError(error)
    if (!isTold) yield [{ raw: undefined, events: [toErrorEvent(failure)] }]
  } finally {
    options.onEnd(complete ? undefined : (failure ?? readerLeft()))
  }
}

/** @returns whether the provider itself speaks of an error, so that its own words can be passed on */
function isProvidersError({ event, data = '' }: SseFrame): boolean {
  if (event !== 'error' && !data.includes('"error"') && !data.includes('"response.failed"')) return false
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}

function isNoEnd({ type }: StreamEvent): boolean {
  return type !== 'reply-end'
}

function readerLeft(): GatewayError {
  return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
}

function toErrorEvent(error: GatewayError): StreamEvent {
  return { type: 'error', error: { code: error.code, type: error.spec.type, message: error.message } }
}
