import type { Incoming } from '../pipeline/exchange.ts'

/** What a caller wants written. */
export interface AskedOutput {
  /** Most tokens of one answer; `undefined` where the caller did not say. */
  readonly tokensMax: number | undefined
  /** How many answers. */
  readonly choices: number
  /** Fewer would be refused by the provider: a cap has to leave room behind the thoughts that were asked for. */
  readonly tokensMin: number
}

const CHOICES_MAX = 128
/** Providers refuse less: Responses takes no cap below 16. */
const TOKENS_MIN = 16
/** What `/v1/completions` writes at most where nothing is said (OpenAI's API reference, `max_tokens`). */
const COMPLETION_TOKENS = 16
const NONE: AskedOutput = { tokensMax: 0, choices: 1, tokensMin: 0 }

/** @returns the caps of a request, from its own fields: nothing is parsed for it that was not parsed already */
export function askedOutputOf(incoming: Incoming): AskedOutput {
  const { operation, format, json } = incoming
  if (operation === 'completion') return ofCompletion(json)
  if (operation !== 'chat') return NONE
  switch (format) {
    case 'chat':
      return asked(number(json?.max_completion_tokens) ?? number(json?.max_tokens), choicesOf(json?.n))
    case 'responses':
      return asked(number(json?.max_output_tokens), 1)
    case 'messages':
      return asked(number(json?.max_tokens), 1, thinkingTokens(json))
    case 'gemini':
      return ofGemini(json)
    default: {
      const { outputTokensMax } = incoming.chat()
      return asked(outputTokensMax, 1)
    }
  }
}

function asked(tokensMax: number | undefined, choices: number, thinking = 0): AskedOutput {
  return { tokensMax, choices, tokensMin: thinking + TOKENS_MIN }
}

function ofCompletion(json: Fields | undefined): AskedOutput {
  const choices = Math.max(choicesOf(json?.n), choicesOf(json?.best_of))
  // A list of texts, or of lists of tokens: each is answered. A list of numbers is one prompt.
  const prompts = Array.isArray(json?.prompt) && typeof json.prompt[0] !== 'number' ? json.prompt.length : 1
  return asked(number(json?.max_tokens) ?? COMPLETION_TOKENS, choices * Math.max(1, prompts))
}

function ofGemini(json: Fields | undefined): AskedOutput {
  const config = fields(json?.generationConfig ?? json?.generation_config)
  return asked(
    number(config?.maxOutputTokens ?? config?.max_output_tokens),
    choicesOf(config?.candidateCount ?? config?.candidate_count),
  )
}

function choicesOf(value: unknown): number {
  return Math.min(number(value) ?? 1, CHOICES_MAX)
}

/** Anthropic wants `max_tokens` above the budget of its thoughts. */
function thinkingTokens(json: Fields | undefined): number {
  return number(fields(json?.thinking)?.budget_tokens) ?? 0
}

/** Models that think unless they are told not to, by the names that their makers gave them. */
const THINKERS = /(?:^|[/.])(?:o[1-9]|gpt-5|gpt-oss|deepseek-r|grok-[4-9])|thinking|reason/i

/** @returns whether a model may write what its caller never sees, but pays for */
export function mayThink({ json }: Incoming, model: string): boolean {
  if (THINKERS.test(model)) return true
  return json?.reasoning !== undefined || json?.reasoning_effort !== undefined || json?.thinking !== undefined
}

type Fields = Readonly<Record<string, unknown>>

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined
}

/** @returns a count that can be meant; what else a field holds is for the provider to refuse */
function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
}
