import type { ChatRequest, ResponseFormat, Tool, ToolChoice } from '../../contract/chat.ts'
import type { ChatTarget, WireRequest } from '../provider.ts'
import { refuseFields } from './refuse-fields.ts'
import { cacheFields } from './to-content.ts'
import { toMessages } from './to-messages.ts'
import type { CompatibleTraits } from './traits.ts'
import { Warnings } from './warnings.ts'

/**
 * @returns the body of `POST /chat/completions` for one provider
 * @throws GatewayError `unsupported_feature` where leaving something out would change the answer
 */
export function toRequest(request: ChatRequest, target: ChatTarget): WireRequest {
  const traits: CompatibleTraits = target.traits
  const warnings = new Warnings()
  const body: Record<string, unknown> = {
    model: target.model,
    messages: toMessages(request.messages, traits, warnings),
    ...toolFields(request, traits, warnings),
    ...samplingFields(request, traits, warnings),
    ...reasoningFields(request, traits, warnings),
    ...streamFields(request, traits),
  }
  for (const { path } of request.unmapped) {
    warnings.add(path, 'This field of the request has no counterpart at the provider and was left out.')
  }
  refuseFields(body, traits.refuses ?? [], warnings)
  rename(body, traits.renames ?? {})
  return { path: '/chat/completions', body, warnings: warnings.list() }
}

function toolFields(
  request: ChatRequest,
  traits: CompatibleTraits,
  warnings: Warnings,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  // OpenAI refuses an empty list, and a choice or a permission without tools.
  if (request.tools === undefined || request.tools.length === 0) return fields
  fields.tools = request.tools.map((tool) => toTool(tool, traits, warnings))
  if (request.toolChoice !== undefined) fields.tool_choice = toToolChoice(request.toolChoice, traits)
  if (request.parallelToolCalls !== undefined) fields.parallel_tool_calls = request.parallelToolCalls
  return fields
}

function toTool(tool: Tool, traits: CompatibleTraits, warnings: Warnings): Record<string, unknown> {
  return {
    type: 'function',
    function: {
      name: tool.name,
      ...(tool.description === undefined ? {} : { description: tool.description }),
      ...(tool.parameters === undefined ? {} : { parameters: tool.parameters }),
      ...(tool.strict === undefined ? {} : { strict: tool.strict }),
    },
    ...cacheFields(tool.cacheControl, traits, warnings),
  }
}

function toToolChoice(choice: ToolChoice, traits: CompatibleTraits): unknown {
  if (choice.type === 'tool') return { type: 'function', function: { name: choice.name } }
  return choice.type === 'required' ? (traits.toolChoiceRequired ?? 'required') : choice.type
}

function samplingFields(
  request: ChatRequest,
  traits: CompatibleTraits,
  warnings: Warnings,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) fields[name] = value
  }
  set('response_format', toResponseFormat(request.responseFormat))
  set(traits.outputCapField ?? 'max_tokens', request.outputTokensMax)
  set('temperature', request.temperature)
  set('top_p', request.topP)
  if (traits.topK === true) set('top_k', request.topK)
  else if (request.topK !== undefined) warnings.add('top_k', 'This provider has no `top_k`; it was left out.')
  if (request.stop !== undefined && request.stop.length > 0) fields.stop = request.stop
  set('seed', request.seed)
  // One answer is what everyone gives without being asked, and what some refuse to be asked for.
  if (request.n !== undefined && request.n > 1) fields.n = request.n
  set('presence_penalty', request.presencePenalty)
  set('frequency_penalty', request.frequencyPenalty)
  set('logit_bias', request.logitBias)
  if (request.logprobs === true) fields.logprobs = true
  if (request.logprobs === true) set('top_logprobs', request.topLogprobs)
  set('user', request.user)
  // `metadata` attributes cost here and means storage there (OpenAI keeps it with stored replies), so it stays ours.
  return fields
}

function toResponseFormat(format: ResponseFormat | undefined): unknown {
  switch (format?.type) {
    case undefined:
      return undefined
    case 'text':
      return { type: 'text' }
    case 'json':
      return { type: 'json_object' }
    case 'json-schema': {
      const { name, schema, description, strict } = format
      const named = description === undefined ? {} : { description }
      const firm = strict === undefined ? {} : { strict }
      return { type: 'json_schema', json_schema: { name, ...named, schema, ...firm } }
    }
  }
}

/**
 * Efforts that stand for a budget of thinking tokens, where a provider knows efforts only. No provider documents
 * a budget for its efforts; these steps are ours: a short thought, a long one, all it can.
 */
const EFFORT_STEPS: readonly (readonly [budgetMax: number, effort: string])[] = [
  [0, 'none'],
  [2048, 'low'],
  [8192, 'medium'],
]

function effortOf(budgetTokens: number): string {
  return EFFORT_STEPS.find(([budgetMax]) => budgetTokens <= budgetMax)?.[1] ?? 'high'
}

function reasoningFields(
  request: ChatRequest,
  traits: CompatibleTraits,
  warnings: Warnings,
): Record<string, unknown> {
  const { effort, budgetTokens } = request.reasoning ?? {}
  if (effort === undefined && budgetTokens === undefined) return {}
  const how = traits.reasoningRequest ?? 'effort'
  if (how === 'none') {
    warnings.add('reasoning_effort', 'How much this provider thinks cannot be chosen; the wish was left out.')
    return {}
  }
  if (how === 'object') return { reasoning: effort === undefined ? { max_tokens: budgetTokens } : { effort } }
  if (how === 'budget') {
    const isOn = budgetTokens === undefined ? effort !== 'none' : budgetTokens > 0
    const budget = isOn && budgetTokens !== undefined ? { thinking_budget: budgetTokens } : {}
    return { enable_thinking: isOn, ...budget }
  }
  if (effort === undefined && budgetTokens !== undefined && budgetTokens > 0) {
    warnings.add(
      'reasoning',
      'This provider knows efforts of thinking, not budgets; the nearest effort was sent.',
    )
  }
  const word = effort ?? effortOf(budgetTokens ?? 0)
  if (how === 'effort') return { reasoning_effort: word }
  if (word === 'none') return { thinking: { type: 'disabled' } }
  const thinking = { type: 'enabled' }
  return how === 'toggle' ? { thinking } : { thinking, reasoning_effort: word }
}

/** Usage is always asked for, since the books need it; whether the caller sees it is decided on the way back. */
function streamFields(request: ChatRequest, traits: CompatibleTraits): Record<string, unknown> {
  if (!request.stream) return {}
  return traits.streamOptions === false
    ? { stream: true }
    : { stream: true, stream_options: { include_usage: true } }
}

function rename(body: Record<string, unknown>, renames: Readonly<Record<string, string>>): void {
  for (const [from, to] of Object.entries(renames)) {
    if (!(from in body)) continue
    body[to] = body[from]
    delete body[from]
  }
}
