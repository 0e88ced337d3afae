import type { ChatRequest, Reasoning } from '../../contract/chat.ts'
import type { Fields } from '../../contract/formats/messages/read-fields.ts'
import type { Notes } from './notes.ts'
import type { AnthropicTraits } from './traits.ts'

/** The least that the API takes for `budget_tokens` (`ThinkingConfigEnabled` of @anthropic-ai/sdk 1.11). */
const BUDGET_TOKENS_MIN = 1024
/** Share of a caller's output cap that thoughts may use: the answer has to fit beside them. */
const BUDGET_SHARE = 0.75
/** Used where neither the caller nor the provider's row names a cap. */
const OUTPUT_TOKENS_DEFAULT = 4096

/**
 * Budgets for OpenAI's scale of effort, for models that know budgets only. The scale has no official rate of
 * exchange; each step doubles or more, and `high` leaves half of a 32k cap to the answer.
 */
const BUDGET_TOKENS: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
}

/** From which budget on an effort is the nearer word, for models that know effort only. */
const EFFORT_STEPS = [
  { from: 16_384, effort: 'high' },
  { from: 4096, effort: 'medium' },
  { from: 0, effort: 'low' },
]

export interface ThinkingPlan {
  readonly thinking?: Fields
  readonly effort?: string
  /** Whether the model was asked to think: the API then refuses some other settings. */
  readonly active: boolean
  readonly outputTokensMax: number
}

/** What else of the request decides about thinking. */
export interface ThinkingConditions {
  /** A tool is forced. */
  readonly forced: boolean
  /** The assistant turn that the last results answer does not begin with its thought. */
  readonly thoughtMissing: boolean
}

export function planThinking(
  request: ChatRequest,
  traits: AnthropicTraits,
  conditions: ThinkingConditions,
  notes: Notes,
): ThinkingPlan {
  const cap = request.outputTokensMax ?? traits.outputTokensDefault ?? OUTPUT_TOKENS_DEFAULT
  const off: ThinkingPlan = { active: false, outputTokensMax: cap }
  const { reasoning } = request
  if (reasoning === undefined) return off
  if (isOff(reasoning)) return { ...off, ...switchOff(traits, notes) }
  if (traits.thinking === undefined) {
    notes.warn('reasoning_effort', 'This model does not think; the setting was left out.')
    return off
  }
  if (conditions.forced && traits.forcedTools === 'without-thinking') {
    notes.warn('reasoning_effort', 'This model cannot think while a tool is forced; thinking was left out.')
    return off
  }
  return useBudget(reasoning, traits)
    ? planBudget(request, reasoning, cap, conditions, notes)
    : { ...off, active: true, ...planAdaptive(reasoning, traits, notes) }
}

function isOff(reasoning: Reasoning): boolean {
  return reasoning.budgetTokens === 0 || (reasoning.effort === 'none' && reasoning.budgetTokens === undefined)
}

function useBudget(reasoning: Reasoning, traits: AnthropicTraits): boolean {
  return (
    traits.thinking === 'budget' || (traits.thinking === 'either' && reasoning.budgetTokens !== undefined)
  )
}

function switchOff(traits: AnthropicTraits, notes: Notes): Partial<ThinkingPlan> {
  switch (traits.thinkingOff) {
    case 'disabled':
    case 'between_tools':
      return { thinking: { type: traits.thinkingOff } }
    case 'never': {
      notes.warn('reasoning_effort', 'This model always thinks; it was asked for the least effort instead.')
      return { effort: traits.efforts?.[0], active: true }
    }
    default:
      return {}
  }
}

function planBudget(
  request: ChatRequest,
  reasoning: Reasoning,
  cap: number,
  conditions: ThinkingConditions,
  notes: Notes,
): ThinkingPlan {
  const off: ThinkingPlan = { active: false, outputTokensMax: cap }
  if (conditions.thoughtMissing) {
    // "Expected `thinking` or `redacted_thinking`, but found `tool_use`": the API's 400 in this case.
    notes.warn(
      'reasoning_effort',
      'The conversation lacks the thought before its last tool call; thinking was left out.',
    )
    return off
  }
  const wanted = reasoning.budgetTokens ?? BUDGET_TOKENS[reasoning.effort ?? 'medium'] ?? BUDGET_TOKENS_MIN
  const least = Math.max(wanted, BUDGET_TOKENS_MIN)
  if (request.outputTokensMax === undefined) {
    // The cap holds thoughts and answer, so ours grows by what the thoughts may take.
    return { ...withBudget(least), outputTokensMax: cap + least }
  }
  const budget = Math.min(least, Math.floor(cap * BUDGET_SHARE))
  if (budget < BUDGET_TOKENS_MIN) {
    notes.warn(
      'reasoning_effort',
      'The output cap is too small for this model to think; thinking was left out.',
    )
    return off
  }
  if (budget !== wanted) notes.warn('reasoning_effort', `The thinking budget was set to ${budget} tokens.`)
  return { ...withBudget(budget), outputTokensMax: cap }
}

function withBudget(budget: number): { thinking: Fields; active: boolean } {
  return { thinking: { type: 'enabled', budget_tokens: budget }, active: true }
}

function planAdaptive(reasoning: Reasoning, traits: AnthropicTraits, notes: Notes): Partial<ThinkingPlan> {
  // From 4.7 on the default shows no thoughts (docs.aws.amazon.com/bedrock, adaptive thinking, read 2026-11).
  const shown = reasoning.summary !== undefined
  const thinking = shown ? { type: 'adaptive', display: 'summarized' } : { type: 'adaptive' }
  return { thinking, effort: toEffort(reasoning, traits.efforts ?? [], notes) }
}

function toEffort(reasoning: Reasoning, efforts: readonly string[], notes: Notes): string | undefined {
  const { effort, budgetTokens } = reasoning
  if (effort === undefined && budgetTokens === undefined) return undefined
  const wanted = effort ?? EFFORT_STEPS.find((step) => (budgetTokens ?? 0) >= step.from)?.effort ?? 'medium'
  const sent = efforts.includes(wanted) ? wanted : nearestEffort(wanted, efforts)
  if (effort === undefined) {
    notes.warn('thinking.budget_tokens', `This model takes no thinking budget; effort ${sent} stands for it.`)
  } else if (sent !== wanted) {
    notes.warn('reasoning_effort', `This model does not know effort ${wanted}; ${sent ?? 'none'} was sent.`)
  }
  return sent
}

function nearestEffort(wanted: string, efforts: readonly string[]): string | undefined {
  if (wanted === 'minimal' || wanted === 'none') return efforts[0]
  return wanted === 'xhigh' || wanted === 'max' ? efforts.at(-1) : efforts[Math.floor(efforts.length / 2)]
}
