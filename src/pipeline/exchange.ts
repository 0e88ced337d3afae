import type { ChatFormatName, ChatRequest, Usage } from '../contract/chat.ts'
import type { EmbeddingRequest } from '../contract/embeddings.ts'
import type { Operation } from '../contract/operation.ts'
import type { Warning } from '../contract/warning.ts'
import type { ErrorCode, GatewayError } from '../core/errors.ts'

/** Wire format of a caller; `library` for calls that never were bytes. */
export type CallFormat =
  | ChatFormatName
  | 'completions'
  | 'embeddings'
  | 'gemini-embeddings'
  | 'forward'
  | 'library'

/** What came in, read once by the edge. Never changes. */
export interface Incoming {
  readonly operation: Operation
  readonly format: CallFormat
  /** What the caller wrote into `model`; `''` where the operation has none. */
  readonly model: string
  readonly stream: boolean
  /** The body is of the format it claims, so that a provider of that format may get it as it is. */
  readonly forwardable: boolean
  /** The body as it came, where it was bytes. */
  readonly body: Buffer | undefined
  /** The same body parsed, where it is JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  /** What to forward, for operations that are not translated and are more than a JSON body to one path. */
  readonly forward?: Forward | undefined
  /** Request headers that are passed on to a provider of the same format. */
  readonly passHeaders: Readonly<Record<string, string>>
  /** The key that was sent, as it was sent. */
  readonly credential: string | undefined
  readonly ip: string
  readonly hints: Hints
  /** Why the request cannot be understood; told only to callers that are identified, and recorded. */
  readonly problem: GatewayError | undefined
  /**
   * The neutral request, read from the body on first use: forwarded calls never need it.
   *
   * @throws GatewayError `invalid_request`
   */
  chat(): ChatRequest
  /**
   * The same, for a provider of another format.
   *
   * @throws GatewayError `unsupported_feature` where it holds what only a provider of its own format understands
   */
  translatable(): ChatRequest
  embedding(): EmbeddingRequest
}

/** A request that is passed on without being translated. */
export interface Forward {
  readonly method: string
  /** Follows the path of the operation's endpoint: `/file-1/content`; `''` = the endpoint itself. */
  readonly path: string
  /** Stands in place of the last segment of that path: `translations` beside `transcriptions`. */
  readonly sibling?: string | undefined
  readonly body: 'json' | 'form' | 'none'
  /** Of a form, with its boundary. */
  readonly contentType: string | undefined
  /** What is asked of files and batches, which belong to organizations. */
  readonly resource?: ResourceRequest | undefined
}

/** One request about files or batches. */
export interface ResourceRequest {
  readonly action: 'create' | 'list' | 'read' | 'content' | 'remove' | 'cancel'
  /** Which one; `''` where none is named. */
  readonly id: string
  /** The provider that the caller names. */
  readonly provider: string | undefined
  /** Parameters of a list, as they came. */
  readonly query: Readonly<Record<string, string>>
}

/** What headers and body say about attribution and treatment. */
export interface Hints {
  readonly user: string | undefined
  readonly session: string | undefined
  readonly task: string | undefined
  readonly tags: Readonly<Record<string, string>>
  /** Total time for the call in milliseconds. */
  readonly timeoutMs: number | undefined
  readonly traceparent: string | undefined
}

/** Who called. */
export interface Caller {
  readonly organizationId: string
  readonly teamId: string | null
  readonly keyId: string | null
  /** End user: the key's own, else the one the call names. */
  readonly user: string | null
  /** Names of models this caller may use; `null` = all. */
  readonly models: readonly string[] | null
}

/** Where a call may go. */
export interface Plan {
  /** The name under `models`, or `provider/model`. */
  readonly route: string
  /** In the order in which they are tried. Never empty. */
  readonly targets: readonly TargetName[]
  /** `undefined` = one try at the first target: files and batches lie at one provider. */
  readonly policy?: RoutePolicy | undefined
}

export interface TargetName {
  readonly provider: string
  /** The model's name at the provider. */
  readonly model: string
  /** Why it stands where it stands: for the waterfall. */
  readonly reason: string
  /** Tokens of input and output together that the model takes; `undefined` where nobody knows. */
  readonly contextTokens?: number | undefined
}

/** How a route treats its calls, beside where it sends them. */
export interface RoutePolicy {
  /** Whether another target is tried after a failure that is not of the caller's making. */
  readonly fallback: boolean
  /** Further tries after the first, all targets together. */
  readonly retries: number
  /** What becomes of a stream that breaks after its first token. */
  readonly afterFirstToken: 'error' | 'continue' | 'buffer'
  /** Without a first token after this long, the next target is asked as well; `undefined` = never. */
  readonly hedgeAfterMs: number | undefined
  readonly timeouts: RouteTimeouts
  /** Who gets a copy of some calls, unseen by the callers. */
  readonly shadow: ShadowTarget | undefined
}

/** In milliseconds; `undefined` = as the provider's own settings say. */
export interface RouteTimeouts {
  /** From the request to the provider's headers. */
  readonly firstByteMs: number | undefined
  /** From the request to the first content of a stream. */
  readonly firstTokenMs: number | undefined
  /** Silence within a reply. */
  readonly idleMs: number | undefined
  /** Of the whole call, all attempts together. */
  readonly totalMs: number | undefined
}

export interface ShadowTarget {
  readonly provider: string
  readonly model: string
  /** Of the calls, from 0 to 1. */
  readonly share: number
}

/** One try at one target. */
export interface Attempt {
  /** Unique; the id of its row in the ledger. */
  readonly id: string
  /** Counts from 1. */
  readonly number: number
  readonly provider: string
  readonly model: string
  /** Why this target: for the waterfall. */
  readonly reason: string
  /** Monotonic milliseconds. */
  readonly startedMs: number
  readonly price: AttemptPrice
  /** Monotonic; when the provider's headers were here. */
  headersMs: number | undefined
  /** Monotonic; when the first content was here. */
  firstTokenMs: number | undefined
  endedMs: number | undefined
  /** The provider's HTTP status; `undefined` where none came. */
  status: number | undefined
  /** The request has left: from here on it may cost. */
  dispatched: boolean
  usage: Usage
  /** What was used and is not in `usage`, because it is not counted in tokens. */
  units: CallUnits
  /** Text that the model produced so far, kept for counting where the provider does not say. */
  outputText: string
  /** The usage is our own count. */
  estimated: boolean
  costNanoUsd: number
  errorCode: ErrorCode | undefined
  errorMessage: string | undefined
  /** The provider's own id of the call, for its support. */
  upstreamRequestId: string | undefined
}

/** Quantities that are sold by something else than tokens, or were reported in nothing else. */
export interface CallUnits {
  /** Length of what was heard. */
  readonly audioSeconds?: number | undefined
  /** Characters of what was to be spoken. */
  readonly characters?: number | undefined
  /** Pictures made. */
  readonly images?: number | undefined
  /** As the caller asked for them: `hd`, `1024x1792`. */
  readonly imageQuality?: string | undefined
  readonly imageSize?: string | undefined
  /** Searches of a rerank: a query with up to a hundred documents each. */
  readonly searches?: number | undefined
}

/** The price an attempt will be settled at, fixed before it leaves. */
export interface AttemptPrice {
  readonly version: string
  /** False where a ceiling stands in for a price that nobody knows. */
  readonly known: boolean
}

/** How much of a limit is left to a caller. */
export interface Room {
  readonly limit: number
  readonly remaining: number
  /** Milliseconds until it begins anew; `undefined` where that never happens or nothing was used yet. */
  readonly resetsInMs: number | undefined
}

/** What limits and budgets allow to a call. */
export interface Allowance {
  /** Most tokens that one answer may have, where less is affordable than was asked for: sent as its output cap. */
  readonly outputTokensMax: number | undefined
  /** Of the limits on requests and on tokens that cover the call, those of which least is left. */
  readonly requests: Room | undefined
  readonly tokens: Room | undefined
  /** Of the budget of which least is left. */
  readonly budgetRemainingNanoUsd: number | undefined
}

/** How a stage spent its time, for the waterfall. */
export interface StageTime {
  readonly stage: string
  readonly startedMs: number
  readonly endedMs: number
}

/** One call and its reply, on its way through the stages. Each field has one writer. */
export interface Exchange {
  /** `x-request-id`. Written by the edge. */
  readonly id: string
  /** Unix milliseconds. */
  readonly receivedAtMs: number
  /** Monotonic milliseconds. */
  readonly startedMs: number
  readonly incoming: Incoming
  /** Aborts when the caller leaves or the call's total time is up. */
  readonly signal: AbortSignal
  /** Written by `run`. */
  readonly stageTimes: StageTime[]
  /** Written by the identify stage. */
  caller: Caller | undefined
  /** Written by the route stage. */
  plan: Plan | undefined
  /** Written by the admit stage; `undefined` where nothing limits the call. */
  allowance: Allowance | undefined
  /** Written by the call. */
  readonly attempts: Attempt[]
  /** Things asked for that the provider cannot do. Written by the call. */
  readonly warnings: Warning[]
}
