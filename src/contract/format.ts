import type { ChatFormatName, ChatReply, ChatRequest, StreamEvent } from './chat.ts'

/** What the URL or the headers say about a request beside its body. */
export interface RequestContext {
  /** Gemini names the model in the path. */
  readonly pathModel?: string | undefined
  /** Gemini streams by path, not by body. */
  readonly pathStream?: boolean | undefined
  /** Streams that close with a terminator chunk, ids and times take them from here: encoders are pure. */
  readonly requestId: string
  readonly nowSeconds: number
}

/** Turns neutral events into the bytes of one stream of a format. Holds the state of that stream. */
export interface StreamEncoder {
  /** @returns complete SSE frames (`data: …\n\n`, possibly several), or `''` when nothing is due yet */
  encode(event: StreamEvent): string
}

/**
 * One public wire format of conversation, seen from its client: read a request, write a reply.
 * Everything is pure; the bytes of a reply in the provider's same format never pass through here.
 */
export interface ChatFormat {
  readonly name: ChatFormatName
  /** @throws GatewayError `invalid_request` with `param` naming the field */
  parseRequest(body: unknown, context: RequestContext): ChatRequest
  /** @returns the JSON body of a complete reply */
  toReply(reply: ChatReply, request: ChatRequest, context: RequestContext): unknown
  createEncoder(request: ChatRequest, context: RequestContext): StreamEncoder
  /** One complete SSE frame that keeps a silent stream open: a comment, or `ping` at Anthropic. */
  readonly heartbeat: string
}
