import type { Task } from '../config/schema/tasks.ts'
import type { ChatRequest, Message, Reasoning, ResponseFormat, Tool, ToolChoice } from '../contract/chat.ts'
import type { EmbeddingRequest } from '../contract/embeddings.ts'
import { GatewayError } from '../core/errors.ts'
import type { Incoming } from '../pipeline/exchange.ts'

/** Who and what a call is for, and how it may be ended. */
export interface CallOptions {
  /** Organization that the call is booked to, by id; default: the first one. */
  readonly organizationId?: string
  /** End user, for attribution alone: providers are not told. */
  readonly user?: string
  readonly session?: string
  readonly tags?: Readonly<Record<string, string>>
  /** Picks the model where `model` is `auto`. */
  readonly task?: Task
  /** Total time for the call, in milliseconds. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface CompletionRequest extends CallOptions {
  /** A route, `provider/model`, a model name that one provider serves, or `auto`. */
  readonly model: string
  /** A text is one turn of the user. */
  readonly messages: string | readonly Message[]
  /** Put before the messages. */
  readonly system?: string
  readonly tools?: readonly Tool[]
  readonly toolChoice?: ToolChoice
  readonly parallelToolCalls?: boolean
  readonly responseFormat?: ResponseFormat
  readonly outputTokensMax?: number
  readonly temperature?: number
  readonly topP?: number
  readonly stop?: readonly string[]
  readonly seed?: number
  readonly reasoning?: Reasoning
}

export interface EmbedRequest extends CallOptions {
  readonly model: string
  readonly input: string | readonly string[]
  /** Length wanted of each vector. */
  readonly dimensions?: number
}

export function toChatRequest(request: CompletionRequest, stream: boolean): ChatRequest {
  const { model, messages, system, tools, toolChoice, parallelToolCalls, responseFormat, outputTokensMax } =
    request
  const { temperature, topP, stop, seed, reasoning } = request
  const turns: Message[] = typeof messages === 'string' ? [textTurn('user', messages)] : [...messages]
  return {
    model,
    messages: system === undefined ? turns : [textTurn('system', system), ...turns],
    stream,
    includeUsage: true,
    unmapped: [],
    ...defined({ tools, toolChoice, parallelToolCalls, responseFormat, outputTokensMax }),
    ...defined({ temperature, topP, stop, seed, reasoning }),
  }
}

export function toEmbeddingRequest({ model, input, dimensions }: EmbedRequest): EmbeddingRequest {
  const inputs = typeof input === 'string' ? [input] : input
  if (inputs.length === 0) {
    throw new GatewayError('invalid_request', { message: 'There is nothing to embed.', param: 'input' })
  }
  return { model, inputs, encodingFormat: 'float', unmapped: [], ...defined({ dimensions }) }
}

export function textTurn(role: 'system' | 'user' | 'assistant', text: string): Message {
  return { role, content: [{ type: 'text', text }] }
}

interface Body {
  readonly chat?: ChatRequest
  readonly embedding?: EmbeddingRequest
}

/** A call that never was bytes, in the shape in which the pipeline takes it. */
export function toIncoming(options: CallOptions & { readonly model: string }, body: Body): Incoming {
  // Callers in JavaScript have no types that would have told them.
  if (typeof options.model !== 'string' || options.model === '') {
    throw new GatewayError('invalid_request', { message: 'The field `model` is missing.', param: 'model' })
  }
  const { chat, embedding } = body
  const read = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error('The pipeline asked a call for what it is not.')
    return value
  }
  return {
    operation: chat === undefined ? 'embedding' : 'chat',
    format: 'library',
    model: options.model,
    stream: chat?.stream ?? false,
    forwardable: false,
    body: undefined,
    json: undefined,
    passHeaders: {},
    credential: undefined,
    ip: '',
    hints: {
      user: options.user,
      session: options.session,
      task: options.task,
      tags: options.tags ?? {},
      timeoutMs: options.timeoutMs,
      traceparent: undefined,
    },
    problem: undefined,
    chat: () => read(chat),
    translatable: () => read(chat),
    embedding: () => read(embedding),
  }
}

/** @returns the fields that have a value: absent and `undefined` mean the same here, and one of them is enough */
function defined<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>
  }
}
