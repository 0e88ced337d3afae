import type { ChatRequest, FinishReason, Tool, ToolChoice, Usage } from '../../chat.ts'
import type { JsonObject } from './fields.ts'
import { isResponsesRequest } from './responses-request.ts'

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed'

/** What a response object says about its own reply, as against the settings it repeats. */
export interface ResponseState {
  readonly id: string
  readonly model: string
  readonly createdSeconds: number
  readonly status: ResponseStatus
  readonly output: readonly unknown[]
  readonly usage: Usage
  readonly incompleteReason?: string | undefined
  readonly error?: { readonly code: string; readonly type: string; readonly message: string } | undefined
}

/** @returns a `response` object: shapes from openai-node 7.55, `resources/responses/responses.d.ts` */
export function toResponseObject(state: ResponseState, request: ChatRequest): Record<string, unknown> {
  const settings: JsonObject = isResponsesRequest(request) ? request.responses.settings : {}
  return {
    id: state.id,
    object: 'response',
    created_at: state.createdSeconds,
    status: state.status,
    access_programs: null,
    background: false,
    error: state.error === undefined ? null : { ...state.error, param: null },
    incomplete_details: state.incompleteReason === undefined ? null : { reason: state.incompleteReason },
    instructions: settings.instructions ?? null,
    max_output_tokens: request.outputTokensMax ?? null,
    max_tool_calls: settings.max_tool_calls ?? null,
    model: state.model,
    output: state.output,
    parallel_tool_calls: request.parallelToolCalls ?? true,
    previous_response_id: settings.previous_response_id ?? null,
    prompt_cache_key: settings.prompt_cache_key ?? null,
    reasoning: {
      effort: request.reasoning?.effort ?? null,
      summary: request.reasoning?.summary ?? null,
    },
    safety_identifier: settings.safety_identifier ?? null,
    service_tier: settings.service_tier ?? 'default',
    // Whatever was asked for: no reply that passed through a translation can be fetched again.
    store: false,
    temperature: request.temperature ?? null,
    text: settings.text ?? { format: formatOf(request) },
    tool_choice: settings.tool_choice ?? toolChoiceOf(request.toolChoice),
    tools: settings.tools ?? (request.tools ?? []).map(toolOf),
    top_logprobs: request.topLogprobs ?? 0,
    top_p: request.topP ?? null,
    truncation: settings.truncation ?? 'disabled',
    usage: toWireUsage(state.usage),
    user: settings.user ?? null,
    metadata: request.metadata ?? {},
  }
}

/** @returns `null` where the provider said nothing; the format has no way to leave one of the counts open */
export function toWireUsage(usage: Usage): Record<string, unknown> | null {
  const { inputTokens, outputTokens } = usage
  if (inputTokens === undefined && outputTokens === undefined) return null
  return {
    input_tokens: inputTokens ?? 0,
    input_tokens_details: {
      cache_write_tokens: usage.cacheWriteTokens ?? 0,
      cached_tokens: usage.cachedInputTokens ?? 0,
    },
    output_tokens: outputTokens ?? 0,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: (inputTokens ?? 0) + (outputTokens ?? 0),
  }
}

/** @returns the reason that makes a reply `incomplete`, or `undefined` where it is complete */
export function incompleteReason(finish: FinishReason): string | undefined {
  if (finish === 'length') return 'max_output_tokens'
  if (finish === 'content-filter') return 'content_filter'
  return undefined
}

/** @returns an id of this format for whatever id the provider gave */
export function toResponseId(id: string, requestId: string): string {
  if (id.startsWith('resp_')) return id
  return `resp_${id === '' ? requestId : id}`
}

function formatOf(request: ChatRequest): unknown {
  const format = request.responseFormat
  if (format === undefined || format.type === 'text') return { type: 'text' }
  if (format.type === 'json') return { type: 'json_object' }
  const { name, schema, description, strict } = format
  return { type: 'json_schema', name, schema, description: description ?? null, strict: strict ?? false }
}

function toolChoiceOf(choice: ToolChoice | undefined): unknown {
  if (choice === undefined) return 'auto'
  return choice.type === 'tool' ? { type: 'function', name: choice.name } : choice.type
}

function toolOf(tool: Tool): unknown {
  return {
    type: 'function',
    name: tool.name,
    description: tool.description ?? null,
    parameters: tool.parameters ?? null,
    strict: tool.strict ?? false,
  }
}
