import type { ChatFormatName, ChatReply, StreamEvent } from '../contract/chat.ts'
import type { EmbeddingReply } from '../contract/embeddings.ts'

/**
 * One step of a streamed reply: what it means, and its bytes where the provider speaks the caller's format.
 * A stage that changes `events` leaves `raw` out; the edge then writes the events itself.
 */
export interface ReplyFrame {
  readonly raw: Uint8Array | undefined
  readonly events: readonly StreamEvent[]
}

/** Frames in the batches in which the network brought them. */
export type ReplyEvents = AsyncIterable<readonly ReplyFrame[]>

interface ReplyHead {
  readonly status: number
  /** The provider's headers that the caller may see, lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** A whole conversation reply. */
export interface ChatAnswer extends ReplyHead {
  readonly kind: 'chat'
  /** The provider's bytes, where it speaks the caller's format. */
  readonly raw: Buffer | undefined
  /** The neutral reply, decoded on first use. */
  chat(): ChatReply
}

export interface ChatStream extends ReplyHead {
  readonly kind: 'stream'
  /** Format of `raw` in the frames. */
  readonly format: ChatFormatName | 'completions'
  readonly events: ReplyEvents
  /** What becomes of the provider's stream when the caller leaves: read to its end for its usage, or closed. */
  readonly onCancel: 'drain' | 'abort'
}

export interface EmbeddingAnswer extends ReplyHead {
  readonly kind: 'embedding'
  readonly raw: Buffer | undefined
  embedding(): EmbeddingReply
}

/** Bytes passed on as they are: images, audio, files, and errors of a provider in the caller's own format. */
export interface ForwardedAnswer extends ReplyHead {
  readonly kind: 'forward'
  readonly body: Buffer | AsyncIterable<Uint8Array>
}

/** `{input_tokens}` and its like: the number, written by the edge in the caller's format. */
export interface TokenCountAnswer extends ReplyHead {
  readonly kind: 'token-count'
  readonly inputTokens: number
}

export type Reply = ChatAnswer | ChatStream | EmbeddingAnswer | ForwardedAnswer | TokenCountAnswer
