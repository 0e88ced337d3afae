import type { ChatRequest, StreamEvent } from '../../chat.ts'
import type { RequestContext, StreamEncoder } from '../../format.ts'
import { createChunkBuilder } from './chunks.ts'

/** A comment: readers of SSE skip it, and Google's own client does (@google/genai 3.1.0). */
export const heartbeat = ': ping\n\n'

/**
 * For Google's former client, which LangChain builds on: a comment makes it lose the rest of the stream
 * (`getResponseStream` in @google/generative-ai 0.24.1), a chunk without text does not.
 */
export const formerHeartbeat =
  'data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}\n\n'

/** White space between the elements of an array, which every JSON reader skips. */
export const arrayHeartbeat = '\n'

/**
 * Writes `streamGenerateContent?alt=sse`: one `data:` line per chunk, and no terminator. Nothing for a ping: which
 * heartbeat a caller's client can read is not known here.
 */
export function createEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  const chunks = createChunkBuilder(request, context)
  return {
    encode(event) {
      return chunks
        .next(event)
        .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
        .join('')
    },
  }
}

/**
 * Writes `streamGenerateContent` without `alt=sse`: the same chunks as the elements of one JSON array, which
 * `reply-end` or `error` closes. Silence is kept open by `arrayHeartbeat`; the content type is `application/json`.
 */
export function createArrayEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  const chunks = createChunkBuilder(request, context)
  let begun = false
  return {
    encode(event: StreamEvent) {
      if (event.type === 'ping') return arrayHeartbeat
      let text = ''
      for (const chunk of chunks.next(event)) {
        text += `${begun ? ',\n' : '['}${JSON.stringify(chunk)}`
        begun = true
      }
      return event.type === 'reply-end' || event.type === 'error' ? `${text}]` : text
    },
  }
}
