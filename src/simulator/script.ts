import type { Asked, OfferedTool } from './conversation.ts'
import { toSchemaValue } from './schema-value.ts'
import { countTokens, firstTokens } from './tokens.ts'

export interface AnswerCall {
  readonly id: string
  readonly name: string
  /** JSON text. */
  readonly arguments: string
}

export interface AnswerChoice {
  /** `''` for every model that does not think. */
  readonly reasoning: string
  readonly text: string
  readonly calls: readonly AnswerCall[]
  readonly finish: 'stop' | 'length' | 'tool-calls'
  /** The stop sequence that ended it. */
  readonly stopSequence: string | undefined
}

/** What the model says, before any format spells it. */
export interface Answer {
  readonly choices: readonly AnswerChoice[]
  /** Cached and cache-write tokens included. */
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  /** Reasoning included. */
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** Settings of the call that change what is said or charged. */
export interface ScriptSettings {
  /** Bytes of text to answer with, in place of the model's own words. */
  readonly big?: number
  readonly cached?: number
  readonly cacheWrite?: number
}

/** Bounds what one call can make us produce. */
const FIXED_TOKENS_MAX = 1_000_000
const CHOICES_MAX = 128

/** @returns the model without a provider's prefix (`sim/echo`, `models/gemini-…`) */
export function toPlainModel(model: string): string {
  return model.slice(model.lastIndexOf('/') + 1)
}

/** @returns status of the error that this model always answers: `error` 500, `error-429` 429 … */
export function toErrorStatus(plainModel: string): number | undefined {
  if (!plainModel.startsWith('error')) return undefined
  if (plainModel === 'error') return 500
  const status = /^error-([45]\d\d)$/.exec(plainModel)?.[1]
  return status === undefined ? undefined : Number(status)
}

/** @param newId makes an unused id behind a prefix */
export function toAnswer(asked: Asked, settings: ScriptSettings, newId: (prefix: string) => string): Answer {
  const plain = toPlainModel(asked.model)
  const fixed = plain.startsWith('fixed-') ? /^fixed-(\d+)-(\d+)(?:-(\d+))?$/.exec(plain) : null
  const inputTokens = fixed === null ? asked.inputTokens : Number(fixed[1])
  const cachedTokens = Math.min(settings.cached ?? Number(fixed?.[3] ?? 0), inputTokens)
  const cacheWriteTokens = Math.min(settings.cacheWrite ?? 0, inputTokens - cachedTokens)
  const count = Math.max(1, Math.min(asked.choices, CHOICES_MAX))
  const choices: AnswerChoice[] = []
  let outputTokens = 0
  let reasoningTokens = 0
  for (let index = 0; index < count; index++) {
    const reasoning = plain === 'reasoner' ? firstTokens(thoughts(asked), asked.outputTokensMax) : ''
    const thinking = reasoning === '' ? 0 : countTokens(reasoning)
    const tokensMax = asked.outputTokensMax - thinking
    const called = fixed === null && settings.big === undefined ? calledTools(asked) : []
    const spoken =
      called.length > 0
        ? callChoice(called, asked, tokensMax, newId)
        : textChoice(words(asked, settings, fixed?.[2], index), asked, tokensMax)
    choices.push({ ...spoken.choice, reasoning })
    outputTokens += thinking + spoken.tokens
    reasoningTokens += thinking
  }
  return { choices, inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens }
}

interface Spoken {
  readonly choice: Omit<AnswerChoice, 'reasoning'>
  readonly tokens: number
}

function textChoice(words: string, asked: Asked, tokensMax: number): Spoken {
  let text = words
  let stopSequence: string | undefined
  for (const stop of asked.stops) {
    const at = stop === '' ? -1 : text.indexOf(stop)
    if (at < 0) continue
    text = text.slice(0, at)
    stopSequence = stop
  }
  const tokens = countTokens(text)
  if (tokens <= tokensMax) return { choice: { text, calls: [], finish: 'stop', stopSequence }, tokens }
  text = firstTokens(text, tokensMax)
  const cut = { text, calls: [], finish: 'length' as const, stopSequence: undefined }
  return { choice: cut, tokens: countTokens(text) }
}

/** A call that does not fit into the limit is left out whole: half a call helps nobody. */
function callChoice(
  tools: readonly OfferedTool[],
  asked: Asked,
  tokensMax: number,
  newId: (prefix: string) => string,
): Spoken {
  const calls: AnswerCall[] = []
  const word = toWord(asked.prompt)
  let tokens = 0
  let finish: AnswerChoice['finish'] = 'tool-calls'
  for (const tool of tools) {
    const value = toSchemaValue(tool.schema, word) ?? {}
    const callArguments = JSON.stringify(value)
    const cost = countTokens(tool.name) + countTokens(callArguments)
    if (tokens + cost > tokensMax) {
      finish = 'length'
      break
    }
    tokens += cost
    calls.push({ id: newId('call_'), name: tool.name, arguments: callArguments })
  }
  return { choice: { text: '', calls, finish, stopSequence: undefined }, tokens }
}

/** What a model says that calls no tool. */
function words(
  asked: Asked,
  settings: ScriptSettings,
  fixedTokens: string | undefined,
  index: number,
): string {
  if (settings.big !== undefined)
    return 'lorem ipsum '.repeat(Math.ceil(settings.big / 12)).slice(0, settings.big)
  if (fixedTokens !== undefined) {
    return ' word'.repeat(Math.min(Number(fixedTokens), FIXED_TOKENS_MAX)).slice(1)
  }
  if (asked.answerSchema !== undefined) {
    const word = toWord(asked.prompt)
    if (asked.answerSchema === 'any-json') return JSON.stringify({ answer: word })
    return JSON.stringify(toSchemaValue(asked.answerSchema, word))
  }
  if (asked.toolResults.length > 0) return `The tools say: ${asked.toolResults.join('; ')}`
  const heard = asked.prompt === '' ? 'I heard nothing.' : asked.prompt
  const text = index === 0 ? heard : `${heard} (${index + 1})`
  // A prefilled answer is continued, never begun again.
  return asked.prefill !== '' && text.startsWith(asked.prefill) ? text.slice(asked.prefill.length) : text
}

function thoughts(asked: Asked): string {
  return `The user wants to hear this again: ${firstTokens(asked.prompt, 16)}`
}

/** Tools to call now: none once results have come back, so that a conversation ends. */
function calledTools(asked: Asked): readonly OfferedTool[] {
  const { tools, toolChoice, toolResults, prompt } = asked
  if (tools.length === 0 || toolChoice === 'none' || toolResults.length > 0) return []
  const allowed =
    typeof toolChoice === 'object' ? tools.filter((tool) => toolChoice.names.includes(tool.name)) : tools
  const mentioned = allowed.filter((tool) => mentions(prompt, tool.name))
  const insisted = toolChoice !== 'auto' && mentioned.length === 0 ? allowed.slice(0, 1) : mentioned
  return asked.parallelCalls ? insisted : insisted.slice(0, 1)
}

/** Whether the name stands in the text by itself, so that `get` is not found in `get_weather`. */
function mentions(text: string, name: string): boolean {
  if (name === '') return false
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    if (!isNameCode(text.charCodeAt(at - 1)) && !isNameCode(text.charCodeAt(at + name.length))) return true
  }
  return false
}

function isNameCode(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95
  )
}

/** @returns the last words in double quotes, else `Paris` */
export function toWord(prompt: string): string {
  const end = prompt.lastIndexOf('"')
  const start = end <= 0 ? -1 : prompt.lastIndexOf('"', end - 1)
  return start < 0 || end - start < 2 || end - start > 201 ? 'Paris' : prompt.slice(start + 1, end)
}
