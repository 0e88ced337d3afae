import type { Reasoning } from '../../contract/chat.ts'
import type { Thinking } from './traits.ts'
import type { WarningList } from './warnings.ts'

/**
 * Budgets for OpenAI's efforts: those that Google's own OpenAI-compatible API chose when it began to take efforts,
 * 1K, 8K and 24K (https://x.com/OfficialLoganK/status/1915934863527420398, https://ai.google.dev/gemini-api/docs/openai).
 */
const BUDGETS: Readonly<Record<string, number>> = { minimal: 1024, low: 1024, medium: 8192, high: 24576 }

/** OpenAI's efforts from the least to the most. */
const SCALE = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

/** @returns Gemini's `thinkingConfig`, or `undefined` where nothing of it is to be said to this model */
export function toThinkingConfig(
  reasoning: Reasoning,
  thinking: Thinking,
  warnings: WarningList,
): Record<string, unknown> | undefined {
  const { summary } = reasoning
  const includeThoughts = summary !== undefined && summary !== 'none'
  const switched = reasoning.effort === 'none' || reasoning.budgetTokens === 0
  if (thinking.control === 'none') {
    // Asking such a model not to think asks for what it does anyway.
    if (!switched) warnings.add('reasoning', 'This model does not think; the setting was left out.')
    return undefined
  }
  const amount =
    thinking.control === 'budget'
      ? toBudget(reasoning, thinking.tokensMin, warnings)
      : toLevel(reasoning, thinking.levels, warnings)
  const config = { ...amount, ...(includeThoughts ? { includeThoughts } : {}) }
  return Object.keys(config).length === 0 ? undefined : config
}

function toBudget(reasoning: Reasoning, tokensMin: number, warnings: WarningList): Record<string, unknown> {
  const { effort, budgetTokens } = reasoning
  const wanted =
    budgetTokens ?? (effort === 'none' ? 0 : effort === undefined ? undefined : budgetOf(effort, warnings))
  if (wanted === undefined) return {}
  if (wanted >= tokensMin) return { thinkingBudget: wanted }
  warnings.add(
    'reasoning',
    `This model thinks with at least ${tokensMin} tokens; it was told to use no more.`,
  )
  return { thinkingBudget: tokensMin }
}

function budgetOf(effort: string, warnings: WarningList): number | undefined {
  const budget = BUDGETS[effort]
  if (budget !== undefined) return budget
  if (SCALE.indexOf(effort) > SCALE.indexOf('high')) {
    warnings.add('reasoning_effort', 'Gemini has nothing above `high`, which was used instead.')
    return BUDGETS.high
  }
  warnings.add('reasoning_effort', `Gemini has no effort \`${effort}\`; the model decides.`)
  return undefined
}

/** Level and budget exclude each other in one request; models with levels still take a budget. */
function toLevel(
  reasoning: Reasoning,
  levels: readonly string[],
  warnings: WarningList,
): Record<string, unknown> {
  const { effort, budgetTokens } = reasoning
  if (effort === undefined && budgetTokens !== undefined && budgetTokens > 0)
    return { thinkingBudget: budgetTokens }
  const wanted = effort ?? (budgetTokens === 0 ? 'none' : undefined)
  if (wanted === undefined) return {}
  if (levels.includes(wanted)) return { thinkingLevel: wanted.toUpperCase() }
  const rank = SCALE.indexOf(wanted)
  if (rank < 0) {
    warnings.add('reasoning_effort', `Gemini has no effort \`${wanted}\`; the model decides.`)
    return {}
  }
  const nearest = levels.find((level) => SCALE.indexOf(level) > rank) ?? levels.at(-1)
  if (nearest === undefined) return {}
  warnings.add(
    'reasoning_effort',
    `This model has no \`${wanted}\`; it thinks at its nearest level, \`${nearest}\`.`,
  )
  return { thinkingLevel: nearest.toUpperCase() }
}
