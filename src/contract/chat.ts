/**
 * The neutral exchange model: what every wire format is read into and written from.
 *
 * It holds what a caller can mean, not how a format spells it. A field that a format has and this model has not
 * is listed in `unmapped`, so that whoever writes another format can warn about it: nothing is dropped silently.
 */

/** Public wire formats of conversation. */
export type ChatFormatName = 'chat' | 'responses' | 'messages' | 'gemini'

export interface TextPart {
  readonly type: 'text'
  readonly text: string
  /** Anthropic's `cache_control`, kept where it stood. */
  readonly cacheControl?: unknown
}

/** Where bytes of an image, a document or a sound are. */
export type MediaSource =
  | { readonly kind: 'url'; readonly url: string }
  /** `data` is base64 without a `data:` prefix. */
  | { readonly kind: 'base64'; readonly mediaType: string; readonly data: string }
  | { readonly kind: 'file'; readonly id: string }

export interface ImagePart {
  readonly type: 'image'
  readonly source: MediaSource
  /** OpenAI's `detail`: `low`, `high`, `auto`. */
  readonly detail?: string
  readonly cacheControl?: unknown
}

export interface AudioPart {
  readonly type: 'audio'
  readonly source: MediaSource
  /** `wav`, `mp3` … as OpenAI names it. */
  readonly encoding?: string
}

export interface FilePart {
  readonly type: 'file'
  readonly source: MediaSource
  readonly name?: string
  readonly cacheControl?: unknown
}

export interface ToolCallPart {
  readonly type: 'tool-call'
  readonly id: string
  readonly name: string
  /** JSON text exactly as the model wrote it; `''` and `{}` both mean no arguments. */
  readonly arguments: string
  /** Gemini's thought signature, which has to come back with the call. */
  readonly signature?: string
  readonly cacheControl?: unknown
}

export interface ToolResultPart {
  readonly type: 'tool-result'
  readonly callId: string
  /** The tool's name, where the format says it (Gemini needs it; others: look the call up by id). */
  readonly name?: string
  readonly content: readonly (TextPart | ImagePart | FilePart)[]
  readonly isError?: boolean
  readonly cacheControl?: unknown
}

export interface ReasoningPart {
  readonly type: 'reasoning'
  /** The readable thought or its summary; `''` where only an encrypted one came. */
  readonly text: string
  /** Anthropic's `signature`, Gemini's `thoughtSignature`. */
  readonly signature?: string
  /** Anthropic's `redacted_thinking.data`, OpenAI's `encrypted_content`. */
  readonly encrypted?: string
  /** OpenAI's reasoning item id (`rs_…`). */
  readonly id?: string
}

export interface RefusalPart {
  readonly type: 'refusal'
  readonly text: string
}

/** Something the model has no word for: forwarded by its own format, a warning in any other. */
export interface OtherPart {
  readonly type: 'other'
  readonly format: ChatFormatName
  readonly raw: unknown
}

export type Part =
  | TextPart
  | ImagePart
  | AudioPart
  | FilePart
  | ToolCallPart
  | ToolResultPart
  | ReasoningPart
  | RefusalPart
  | OtherPart

/**
 * One turn. `system` turns may stand anywhere (OpenAI allows it); leading ones come first in `messages`.
 * Results of tools stand in `tool` turns, one or more `ToolResultPart` each, and nothing else.
 */
export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: readonly Part[]
  /** OpenAI's participant name. */
  readonly name?: string
}

export interface Tool {
  readonly name: string
  readonly description?: string
  /** JSON Schema of the arguments; `undefined` means a tool without arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly strict?: boolean
  readonly cacheControl?: unknown
}

export type ToolChoice =
  | { readonly type: 'auto' | 'none' | 'required' }
  | { readonly type: 'tool'; readonly name: string }

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | {
      readonly type: 'json-schema'
      readonly name: string
      readonly schema: Readonly<Record<string, unknown>>
      readonly description?: string
      readonly strict?: boolean
    }

export interface Reasoning {
  /** OpenAI's scale: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`. */
  readonly effort?: string
  /** Anthropic's and Gemini's thinking budget, in tokens; 0 switches thinking off. */
  readonly budgetTokens?: number
  /** The caller wants to see thoughts or their summary (`auto`, `concise`, `detailed` at OpenAI). */
  readonly summary?: string
}

/** A field of the caller's format that the neutral model does not carry. */
export interface UnmappedField {
  /** Path as the caller wrote it, for example `service_tier`. */
  readonly path: string
  readonly value: unknown
}

export interface ChatRequest {
  /** As the caller wrote it; a provider's mapper uses `ChatTarget.model` instead. */
  readonly model: string
  readonly messages: readonly Message[]
  readonly tools?: readonly Tool[]
  readonly toolChoice?: ToolChoice
  readonly parallelToolCalls?: boolean
  readonly responseFormat?: ResponseFormat
  /** Cap on tokens of output, thoughts included. */
  readonly outputTokensMax?: number
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly stop?: readonly string[]
  readonly seed?: number
  /** Number of answers wanted; default 1. */
  readonly n?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  readonly logitBias?: Readonly<Record<string, number>>
  readonly logprobs?: boolean
  readonly topLogprobs?: number
  readonly reasoning?: Reasoning
  /** The caller's end user. */
  readonly user?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly stream: boolean
  /** The caller asked for the usage chunk of a stream (always true in formats that always send it). */
  readonly includeUsage: boolean
  readonly unmapped: readonly UnmappedField[]
}

/**
 * Tokens of one call, normalized. `undefined` = the provider did not say; `0` = none.
 * Parts are always contained in their whole: `inputTokens` includes cached, cache-write and audio tokens
 * (Anthropic counts those outside: its mapper adds them), `outputTokens` includes reasoning and audio tokens.
 */
export interface Usage {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  /** Input tokens read from the provider's prompt cache. */
  readonly cachedInputTokens?: number | undefined
  /** Input tokens written to the provider's prompt cache. */
  readonly cacheWriteTokens?: number | undefined
  /** Part of `cacheWriteTokens` that is kept for an hour (Anthropic's `ephemeral_1h_input_tokens`): it costs more. */
  readonly cacheWriteLongTokens?: number | undefined
  readonly reasoningTokens?: number | undefined
  readonly inputAudioTokens?: number | undefined
  readonly outputAudioTokens?: number | undefined
  readonly inputImageTokens?: number | undefined
  readonly outputImageTokens?: number | undefined
}

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'refusal' | 'pause' | 'other'

export interface ChatChoice {
  readonly index: number
  /** Text, reasoning, refusal, tool-call and other parts in the order the model made them. */
  readonly content: readonly Part[]
  readonly finishReason: FinishReason
  /** The provider's own word, kept where ours is `other`. */
  readonly rawFinishReason?: string
  /** The stop sequence that was hit, where the provider says it. */
  readonly stopSequence?: string
  /** OpenAI's shape: `{content: [{token, logprob, bytes, top_logprobs}], refusal}`. */
  readonly logprobs?: unknown
}

export interface ChatReply {
  readonly id: string
  /** The model as the provider names it. */
  readonly model: string
  /** Unix time in seconds. */
  readonly createdSeconds: number
  readonly choices: readonly ChatChoice[]
  readonly usage: Usage
}

/** What went wrong inside a stream that had begun. */
export interface StreamError {
  /** One of ours (`core/errors.ts`), or the provider's own word. */
  readonly code: string
  /** OpenAI's `error.type`, for example `upstream_error`. */
  readonly type: string
  readonly message: string
}

/**
 * One event of a streamed reply. Order: `reply-start` first; any deltas; one `choice-finish` per choice;
 * `usage-report` any number of times (a later one replaces the fields it names); `reply-end` last.
 * A stream that breaks ends in `error` and has no `reply-end`. `choice` counts from 0.
 */
export type StreamEvent =
  | {
      readonly type: 'reply-start'
      readonly id: string
      readonly model: string
      readonly createdSeconds: number
    }
  | {
      readonly type: 'text-delta'
      readonly choice: number
      readonly text: string
      readonly logprobs?: unknown
    }
  | { readonly type: 'refusal-delta'; readonly choice: number; readonly text: string }
  | { readonly type: 'reasoning-delta'; readonly choice: number; readonly text: string }
  /** Ends one block of reasoning, with what has to come back in the next turn. */
  | {
      readonly type: 'reasoning-end'
      readonly choice: number
      readonly signature?: string
      readonly encrypted?: string
      readonly id?: string
    }
  /** `index` counts the tool calls of a choice from 0, whatever else stands between them. */
  | {
      readonly type: 'tool-call-start'
      readonly choice: number
      readonly index: number
      readonly id: string
      readonly name: string
      readonly signature?: string
    }
  | {
      readonly type: 'tool-call-delta'
      readonly choice: number
      readonly index: number
      readonly arguments: string
    }
  | {
      readonly type: 'choice-finish'
      readonly choice: number
      readonly reason: FinishReason
      readonly rawReason?: string
      readonly stopSequence?: string
    }
  | { readonly type: 'usage-report'; readonly usage: Usage }
  | { readonly type: 'ping' }
  | { readonly type: 'other'; readonly format: ChatFormatName; readonly raw: unknown }
  | { readonly type: 'error'; readonly error: StreamError }
  | { readonly type: 'reply-end' }

/**
 * @returns `earlier` with every field that `later` names replaced: a provider's last word counts, and a field
 *   it leaves out keeps its value (Anthropic's `message_delta` may name only the output)
 */
export function mergeUsage(earlier: Usage, later: Usage): Usage {
  const merged: Record<string, number | undefined> = { ...earlier }
  for (const [field, value] of Object.entries(later)) {
    if (value !== undefined) merged[field] = value
  }
  return merged
}
