import type { StreamError } from '../contract/chat.ts'
import { isObject } from '../contract/formats/chat/fields.ts'
import type { SseFrame } from '../core/sse.ts'
import type { ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import type { Dialect } from '../providers/provider.ts'

/**
 * Reads the replies of legacy completions as those of a conversation: `text` stands where `message.content` or
 * `delta.content` would, and everything else is alike (`Completion` of the `openai` package, version 7).
 *
 * @param chat the dialect of providers that have this operation
 */
export function completionDialect(chat: Dialect): Dialect {
  return {
    ...chat,
    fromReply: (body) => chat.fromReply(asConversation(body, 'message')),
    fromEvent: (state, frame) => chat.fromEvent(state, asChunk(frame)),
  }
}

function asChunk(frame: SseFrame): SseFrame {
  // What carries no text reads alike in both.
  if (frame.data?.includes('"text"') !== true) return frame
  let chunk: unknown
  try {
    chunk = JSON.parse(frame.data)
  } catch {
    return frame
  }
  return { ...frame, data: JSON.stringify(asConversation(chunk, 'delta')) }
}

function asConversation(body: unknown, holder: 'message' | 'delta'): unknown {
  if (!isObject(body) || !Array.isArray(body.choices)) return body
  const choices = body.choices.map((choice: unknown) => {
    if (!isObject(choice) || typeof choice.text !== 'string') return choice
    const { text, ...rest } = choice
    return { ...rest, [holder]: { role: 'assistant', content: text } }
  })
  return { ...body, choices }
}

const NO_BYTES = new Uint8Array()

/**
 * Makes frames as their caller reads them. Usage that we asked for, and the caller did not, goes without bytes; an
 * error that the provider did not write gets its own, so that nobody has to understand the request to end its stream.
 */
export async function* toCompletionFrames(events: ReplyEvents, showUsage: boolean): ReplyEvents {
  for await (const frames of events) yield frames.map((frame) => toCompletionFrame(frame, showUsage))
}

function toCompletionFrame(frame: ReplyFrame, showUsage: boolean): ReplyFrame {
  const { raw, events } = frame
  if (raw === undefined) {
    const [event] = events
    return event?.type === 'error' ? { ...frame, raw: toErrorFrame(event.error) } : frame
  }
  const isUsage = events.length > 0 && events.every(({ type }) => type === 'usage-report')
  return isUsage && !showUsage ? { ...frame, raw: NO_BYTES } : frame
}

function toErrorFrame({ message, type, code }: StreamError): Uint8Array {
  return Buffer.from(`data: ${JSON.stringify({ error: { message, type, param: null, code } })}\n\n`)
}

/** @returns whether a request asks for the usage of its stream */
export function asksForUsage(json: Readonly<Record<string, unknown>> | undefined): boolean {
  const options = json?.stream_options
  return isObject(options) && options.include_usage === true
}
