import type { Usage } from '../contract/chat.ts'
import { isObject } from '../contract/formats/chat/fields.ts'
import type { Operation } from '../contract/operation.ts'
import { GatewayError } from '../core/errors.ts'
import { type SseFrame, SseFramer } from '../core/sse.ts'
import { reportedUsage } from './forward-usage.ts'

export interface RelayOptions {
  readonly body: AsyncIterable<Uint8Array>
  readonly operation: Operation
  /** Text that a transcription wrote so far. */
  readonly onText: (text: string) => void
  readonly onUsage: (usage: Usage) => void
  /** @returns what a failure of the connection means */
  readonly toError: (error: unknown) => GatewayError
  /** Once, when nothing more will come; `undefined` = complete, `client_closed` = its reader left. */
  readonly onEnd: (error: GatewayError | undefined) => void
}

/**
 * Passes on the events of images, speech or a transcription, whole ones only, and reads their usage. However the
 * stream breaks, it ends in an `error` event and never as if complete.
 */
export async function* relayEvents(options: RelayOptions): AsyncGenerator<Uint8Array> {
  const framer = new SseFramer()
  let complete = false
  let failure: GatewayError | undefined

  function note(frame: SseFrame): Uint8Array {
    const event = readEvent(frame)
    if (event === undefined) return frame.raw
    const { type, json } = event
    if (type === 'error' || isObject(json.error)) {
      failure ??= new GatewayError('upstream_error', { message: messageOf(json) })
    }
    if (ENDS.test(type)) complete = true
    if (type === 'transcript.text.delta' && typeof json.delta === 'string') options.onText(json.delta)
    const { usage } = reportedUsage(json, options.operation)
    if (usage.inputTokens !== undefined) options.onUsage(usage)
    return frame.raw
  }

  try {
    for await (const chunk of options.body) {
      const frames = framer.push(chunk)
      if (frames.length > 0) yield Buffer.concat(frames.map(note))
    }
    const rest = framer.flush().map(note)
    if (complete && rest.length > 0) yield Buffer.concat(rest)
    if (!complete && failure === undefined) {
      throw new GatewayError('upstream_error', {
        message: 'The provider ended the stream before the reply was complete.',
      })
    }
  } catch (error) {
    const told = failure !== undefined
    failure ??= options.toError(error)
    if (!told && !complete) yield toErrorFrame(failure)
  } finally {
    options.onEnd(complete && failure === undefined ? undefined : (failure ?? readerLeft()))
  }
}

/**
 * `[DONE]`, or the last event of each operation: `image_generation.completed`, `image_edit.completed`,
 * `speech.audio.done`, `transcript.text.done` (the `openai` package, version 7).
 */
const ENDS = /\.(?:completed|done)$/

function readEvent({ event, data }: SseFrame): { type: string; json: Record<string, unknown> } | undefined {
  if (data === undefined) return undefined
  if (data === '[DONE]') return { type: 'stream.done', json: {} }
  try {
    const json: unknown = JSON.parse(data)
    if (!isObject(json)) return undefined
    return { type: typeof json.type === 'string' ? json.type : event, json }
  } catch {
    return undefined
  }
}

function messageOf(json: Record<string, unknown>): string {
  const error = isObject(json.error) ? json.error : json
  return typeof error.message === 'string'
    ? error.message
    : 'The provider failed in the middle of its answer.'
}

function toErrorFrame({ code, spec, message }: GatewayError): Uint8Array {
  const error = { message, type: spec.type, param: null, code }
  return Buffer.from(`event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`)
}

function readerLeft(): GatewayError {
  return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
}
