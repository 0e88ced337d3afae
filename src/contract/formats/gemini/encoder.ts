import type { ChatRequest, StreamEvent } from '../../chat.ts'
import type { RequestContext, StreamEncoder } from '../../format.ts'
import { createChunkBuilder } from './chunks.ts'

/** A comment: readers of SSE skip it, and Google's own client does (@google/genai 3.1.0). */
export const heartbeat = ': ping\n\n'

/** White space between the elements of an array, which every JSON reader skips. */
const ARRAY_HEARTBEAT = '\n'

/**
 * Writes `streamGenerateContent?alt=sse`: one `data:` line per chunk, and no terminator. Nothing for a ping: which
 * heartbeat a caller's client can read is not known here.
 */
export function createEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  const chunks = createChunkBuilder(request, context)
  return {
    encode(event) {
      return chunks.next(event).map(toEvent).join('')
    },
  }
}

/**
 * Writes `streamGenerateContent` without `alt=sse`: the same chunks as the elements of one JSON array, which
 * `reply-end` or `error` closes. The content type is `application/json`.
 */
export function createArrayEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  const chunks = createChunkBuilder(request, context)
  let begun = false
  return {
    encode(event: StreamEvent) {
      if (event.type === 'ping') return ARRAY_HEARTBEAT
      let text = ''
      for (const chunk of chunks.next(event)) {
        text += `${begun ? ',\n' : '['}${JSON.stringify(chunk)}`
        begun = true
      }
      return event.type === 'reply-end' || event.type === 'error' ? `${text}]` : text
    },
  }
}

/** `streamGenerateContent` without `alt=sse`. */
export const arrayStyle = { createEncoder: createArrayEncoder, heartbeat: ARRAY_HEARTBEAT }

const EMPTY_PART = { parts: [{ text: '' }], role: 'model' }

/** A chunk without text. */
const FORMER_HEARTBEAT = toEvent({ candidates: [{ content: EMPTY_PART, index: 0 }] })

/**
 * For Google's former client, which LangChain builds on (`getResponseStream` in @google/generative-ai 0.24.1): a
 * comment makes it lose the rest of the stream, an error event means nothing to it, and a broken connection ends the
 * caller's process, since it handles only one of its two readers. So a stream that breaks ends in a finish reason that
 * is none of success.
 */
function createFormerEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  const encoder = createEncoder(request, context)
  return {
    encode(event) {
      if (event.type !== 'error') return encoder.encode(event)
      const finishMessage = event.error.message
      const last = { content: EMPTY_PART, finishReason: 'OTHER', finishMessage, index: 0 }
      return toEvent({ candidates: [last] }) + encoder.encode(event)
    },
  }
}

export const formerStyle = { createEncoder: createFormerEncoder, heartbeat: FORMER_HEARTBEAT }

function toEvent(chunk: unknown): string {
  return `data: ${JSON.stringify(chunk)}\n\n`
}
