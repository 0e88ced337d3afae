import type { AnswerChoice } from './script.ts'
import { countTokens, toGroups, toWords } from './tokens.ts'

/** One small step of an answer that is streamed. Calls are counted from 0 within their choice. */
export type Delta =
  | {
      readonly kind: 'text'
      readonly text: string
      readonly tokens: number
      readonly pieces: readonly string[]
    }
  | { readonly kind: 'reasoning'; readonly text: string; readonly tokens: number }
  | { readonly kind: 'call'; readonly call: number; readonly tokens: number }
  | { readonly kind: 'arguments'; readonly call: number; readonly text: string; readonly tokens: number }

/** Tokens per delta of a call's arguments: few, so that even short arguments come in several. */
const ARGUMENT_TOKENS = 3

/** A huge text leaves in larger pieces: no client needs a million events. */
const WORDWISE_BYTES_MAX = 256 * 1024
const LARGE_GROUP_TOKENS = 4096

/** @returns the choice in the order it is said: thoughts, text, calls */
export function* toDeltas(choice: AnswerChoice): Generator<Delta> {
  for (const { text, tokens } of toWords(choice.reasoning)) {
    yield { kind: 'reasoning', text, tokens: tokens.length }
  }
  const groups =
    choice.text.length > WORDWISE_BYTES_MAX ? toGroups(choice.text, LARGE_GROUP_TOKENS) : toWords(choice.text)
  for (const { text, tokens } of groups) yield { kind: 'text', text, tokens: tokens.length, pieces: tokens }
  for (const [call, said] of choice.calls.entries()) {
    yield { kind: 'call', call, tokens: countTokens(said.name) }
    for (const { text, tokens } of toGroups(said.arguments, ARGUMENT_TOKENS)) {
      yield { kind: 'arguments', call, text, tokens: tokens.length }
    }
  }
}
