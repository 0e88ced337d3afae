import type { ChatFormatName, ChatReply, ChatRequest, StreamEvent, Usage } from '../contract/chat.ts'
import type { EmbeddingReply, EmbeddingRequest } from '../contract/embeddings.ts'
import type { Operation } from '../contract/operation.ts'
import type { Warning } from '../contract/warning.ts'
import type { SseFrame } from '../core/sse.ts'

export type { Operation, Warning }

/** The provider's side of one call, as far as a mapper needs to know it. */
export interface ChatTarget {
  /** The model's name at the provider. */
  readonly model: string
  readonly traits: ChatTraits
}

/** Ways in which providers of one dialect differ: data, so that nobody asks for a provider by name. */
export interface ChatTraits {
  /** Field for the output cap: `max_tokens`, or `max_completion_tokens` (OpenAI's newer models refuse the old one). */
  readonly outputCapField?: 'max_tokens' | 'max_completion_tokens'
  /** Whether `stream_options.include_usage` is understood; where not, usage comes by itself in the last chunk. */
  readonly streamOptions?: boolean
  /** Role that carries system text. */
  readonly systemRole?: 'system' | 'developer'
  /** Output cap sent where the format demands one (Anthropic) and the caller gave none. */
  readonly outputTokensDefault?: number
  /** Request fields, as the dialect spells them, that this provider refuses: left out with a warning. */
  readonly refuses?: readonly string[]
}

/** What a mapper made of a neutral request. */
export interface WireRequest {
  /** Path after the provider's base URL, with its query: `/chat/completions`. */
  readonly path: string
  readonly body: Record<string, unknown>
  readonly headers?: Readonly<Record<string, string>>
  readonly warnings: readonly Warning[]
}

/** A provider's error, read from its reply. */
export interface UpstreamFailure {
  readonly message: string
  /** The provider's own type and code, where it says them. */
  readonly type?: string
  readonly code?: string
  /** Whether the prompt was too long for the model: another target may have a larger context. */
  readonly contextLengthExceeded: boolean
}

/**
 * One dialect of conversation that providers speak. Pure: no I/O, no clock.
 *
 * `State` is what decoding one stream has to remember; each stream gets its own from `newStreamState`.
 */
export interface Dialect<State = unknown> {
  readonly format: ChatFormatName
  /**
   * @throws GatewayError `unsupported_feature` where leaving something out would change the meaning of the
   *   request; whatever may be left out is a warning
   */
  toRequest(request: ChatRequest, target: ChatTarget): WireRequest
  /** @throws GatewayError `upstream_error` where the body is no reply of this dialect */
  fromReply(body: unknown): ChatReply
  newStreamState(): State
  /**
   * One step of decoding. An unknown event becomes `other`; unreadable data becomes `error`.
   * An end of stream without the dialect's terminator is noticed by the caller: no `reply-end` was returned.
   */
  fromEvent(state: State, frame: SseFrame): StreamEvent[]
  /**
   * At the end of the bytes, where a provider may leave the dialect's terminator out: what the state shows to be
   * complete.
   */
  fromEnd?(state: State): StreamEvent[]
  fromError(status: number, body: unknown): UpstreamFailure
  /** Usage of a complete reply, without decoding the rest: what the ledger needs of forwarded bytes. */
  usageOf(body: unknown): Usage
}

/** How one kind of provider makes vectors. Pure, like `Dialect`. */
export interface EmbeddingDialect {
  /** The callers' format that is forwarded as it is. */
  readonly format: 'embeddings' | 'gemini-embeddings'
  /** Whether the body names the model; else the path does. */
  readonly modelInBody: boolean
  /** @throws GatewayError `unsupported_feature` */
  toRequest(request: EmbeddingRequest, target: ChatTarget): WireRequest
  /** @throws GatewayError `upstream_error` where the body holds no vectors */
  fromReply(body: unknown, model: string, inputCount: number): EmbeddingReply
  usageOf(body: unknown): Usage
  fromError(status: number, body: unknown): UpstreamFailure
}

/** How one kind of provider counts tokens ahead. Pure. */
export interface TokenCountDialect {
  readonly format: ChatFormatName
  toRequest(request: ChatRequest, target: ChatTarget): WireRequest
  /** @throws GatewayError `upstream_error` where the body holds no count */
  fromReply(body: unknown): number
  fromError(status: number, body: unknown): UpstreamFailure
}
