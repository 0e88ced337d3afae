import type { ChatRequest } from '../../contract/chat.ts'
import { type Fields, isFields } from '../../contract/formats/messages/read-fields.ts'
import type { ChatTarget, WireRequest } from '../provider.ts'
import { Notes, unsupported } from './notes.ts'
import { restoreUnmapped } from './restore-unmapped.ts'
import { toSampling } from './sampling.ts'
import { planFormat } from './structured-output.ts'
import { planThinking } from './thinking.ts'
import { isThoughtMissing, toConversation } from './to-messages.ts'
import { toToolChoice, toTools } from './to-tools.ts'
import type { AnthropicTraits } from './traits.ts'

/**
 * @returns the call of `POST /messages`
 * @throws GatewayError `unsupported_feature` for several answers, audio, unreadable files, a forced tool or a turn to
 *   be continued where the model takes none
 */
export function toMessagesRequest(request: ChatRequest, target: ChatTarget): WireRequest {
  const notes = new Notes()
  const body = toBody(request, target, notes)
  return { path: '/messages', body, warnings: notes.warnings }
}

/** What `POST /messages/count_tokens` takes (`MessageCountTokensParams` of @anthropic-ai/sdk 1.11). */
const COUNTED = [
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'cache_control',
]

/** @returns the call that counts the input tokens of the same request */
export function toTokenCountRequest(request: ChatRequest, target: ChatTarget): WireRequest {
  const notes = new Notes()
  const body = toBody(request, target, notes)
  const counted = Object.fromEntries(COUNTED.flatMap((name) => (name in body ? [[name, body[name]]] : [])))
  return { path: '/messages/count_tokens', body: counted, warnings: notes.warnings }
}

function toBody(request: ChatRequest, target: ChatTarget, notes: Notes): Record<string, unknown> {
  const traits: AnthropicTraits = target.traits
  if (request.n !== undefined && request.n > 1) {
    throw unsupported('n', 'This provider gives one answer per call.')
  }
  const restored = restoreUnmapped(request.unmapped, notes)
  const format = planFormat(request, traits, notes)
  const tools = toTools(request, format.tool, traits, notes)
  const toolChoice = toToolChoice(request, format.tool, tools.length, traits)
  const conversation = toConversation(request, traits, notes)
  const forced = toolChoice?.type === 'any' || toolChoice?.type === 'tool'
  const effort = knownEffort(restored.outputConfig.effort, traits)
  const plan = planThinking(
    withEffort(request, effort),
    traits,
    { forced, thoughtMissing: isThoughtMissing(conversation.messages) },
    notes,
  )
  const system = [
    ...conversation.system,
    ...(format.instruction === undefined ? [] : [{ type: 'text', text: format.instruction }]),
  ]
  const outputConfig = {
    ...(format.format === undefined ? {} : { format: format.format }),
    ...restored.outputConfig,
    effort: effort ?? plan.effort,
  }
  const stop = toStop(request, notes)
  warnOfUnknown(request, notes)
  return withoutRefused(
    {
      model: target.model,
      max_tokens: plan.outputTokensMax,
      ...(system.length === 0 ? {} : { system }),
      messages: conversation.messages,
      ...(tools.length === 0 ? {} : { tools }),
      tool_choice: toolChoice,
      ...toSampling(request, traits, plan.active, notes),
      ...(stop.length === 0 ? {} : { stop_sequences: stop }),
      thinking: withDisplay(plan.thinking, restored.display),
      output_config: withoutUndefined(outputConfig),
      ...(request.user === undefined ? {} : { metadata: { user_id: request.user } }),
      ...restored.fields,
      ...(request.stream ? { stream: true } : {}),
    },
    traits,
    notes,
  )
}

/** @returns the caller's own word where the model knows it: the neutral scale is shorter than this API's */
function knownEffort(own: unknown, traits: AnthropicTraits): string | undefined {
  return typeof own === 'string' && traits.efforts?.includes(own) === true ? own : undefined
}

function withEffort(request: ChatRequest, effort: string | undefined): ChatRequest {
  if (effort === undefined || request.reasoning?.effort === undefined) return request
  return { ...request, reasoning: { ...request.reasoning, effort } }
}

function withDisplay(thinking: Fields | undefined, display: string | undefined): Fields | undefined {
  const shown = thinking?.type === 'enabled' || thinking?.type === 'adaptive'
  return shown && display !== undefined ? { ...thinking, display } : thinking
}

/** The API refuses sequences of white space alone. */
function toStop(request: ChatRequest, notes: Notes): readonly string[] {
  const wanted = request.stop ?? []
  const usable = wanted.filter((text) => text.trim() !== '')
  if (usable.length < wanted.length) {
    notes.warn('stop', 'The provider takes no stop sequence of white space alone; it was left out.')
  }
  return usable
}

/** `metadata` is missing here on purpose: it is the gateway's own, its tags are for attribution. */
function warnOfUnknown(request: ChatRequest, notes: Notes): void {
  const unknown: readonly (readonly [string, unknown])[] = [
    ['seed', request.seed],
    ['presence_penalty', request.presencePenalty === 0 ? undefined : request.presencePenalty],
    ['frequency_penalty', request.frequencyPenalty === 0 ? undefined : request.frequencyPenalty],
    [
      'logit_bias',
      isFields(request.logitBias) && Object.keys(request.logitBias).length > 0 ? true : undefined,
    ],
    ['logprobs', request.logprobs === true ? true : undefined],
    ['top_logprobs', request.topLogprobs === 0 ? undefined : request.topLogprobs],
  ]
  for (const [param, value] of unknown) {
    if (value !== undefined) notes.warn(param, `The provider does not know \`${param}\`; it was left out.`)
  }
}

function withoutUndefined(fields: Fields): Fields | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** @returns the fields that have a value and that the provider's row does not list as refused */
function withoutRefused(body: Fields, traits: AnthropicTraits, notes: Notes): Record<string, unknown> {
  const refused = new Set(traits.refuses ?? [])
  const kept = Object.entries(body).filter(([name, value]) => {
    if (value === undefined) return false
    if (!refused.has(name)) return true
    notes.warn(name, `The provider does not take \`${name}\`; it was left out.`)
    return false
  })
  return Object.fromEntries(kept)
}
