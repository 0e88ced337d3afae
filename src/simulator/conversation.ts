import type { JsonObject } from './json.ts'
import { countTokens, MEDIA_TOKENS } from './tokens.ts'

/** A function that the caller offers. */
export interface OfferedTool {
  readonly name: string
  /** JSON Schema of its arguments. */
  readonly schema: JsonObject
}

/** `names` = the caller insists on one of these tools. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly names: readonly string[] }

/** One call for a conversation, whatever format it came in: all that decides the answer and its price. */
export interface Asked {
  readonly model: string
  /** Tokens of the whole prompt: system, turns, tools. */
  readonly inputTokens: number
  /** Text of the last user turn. */
  readonly prompt: string
  /** Results of tools since the model last spoke. */
  readonly toolResults: readonly string[]
  /** Text that the caller has put into the model's mouth, `''` where the last turn is not the model's. */
  readonly prefill: string
  readonly tools: readonly OfferedTool[]
  readonly toolChoice: ToolChoice
  readonly parallelCalls: boolean
  /** `Infinity` where the caller sets no limit. */
  readonly outputTokensMax: number
  readonly stops: readonly string[]
  /** How many answers are wanted. */
  readonly choices: number
  /** The answer has to be JSON: of this schema, or any object. */
  readonly answerSchema: JsonObject | 'any-json' | undefined
}

/**
 * Listens to a conversation as a format reads it out and keeps what matters.
 *
 * What costs tokens: every text, name and arguments of every call, results of tools, and of each offered tool its
 * name, description and schema as JSON. Ids, roles and thoughts of earlier turns are free: formats differ there,
 * and the same conversation has to cost the same in each.
 */
export class Transcript {
  inputTokens = 0
  prompt = ''
  toolResults: string[] = []
  prefill = ''
  tools: OfferedTool[] = []
  /** Id of a result whose call was never made. */
  resultWithoutCall: string | undefined
  /** Id of a call that the next turn passed over. */
  callWithoutResult: string | undefined
  private role: 'system' | 'user' | 'assistant' | 'tool' = 'system'
  private turnIsEmpty = true
  /** Ids in the order of their calls; a format without ids repeats the name. */
  private openCalls: string[] = []

  turn(role: 'system' | 'user' | 'assistant' | 'tool'): void {
    this.role = role
    this.turnIsEmpty = true
    this.prefill = ''
    if (role === 'tool' || role === 'system') return
    this.callWithoutResult ??= this.openCalls[0]
    this.openCalls = []
    if (role === 'assistant') this.toolResults = []
  }

  text(text: string): void {
    this.inputTokens += countTokens(text)
    if (this.role === 'user') {
      this.prompt = this.turnIsEmpty ? text : `${this.prompt}\n${text}`
      this.turnIsEmpty = false
    } else if (this.role === 'assistant') {
      this.prefill += text
    }
  }

  call(id: string, name: string, callArguments: string): void {
    this.inputTokens += countTokens(name) + countTokens(callArguments)
    this.openCalls.push(id)
  }

  result(id: string, text: string): void {
    this.inputTokens += countTokens(text)
    this.toolResults.push(text)
    const at = this.openCalls.indexOf(id)
    if (at < 0) this.resultWithoutCall ??= id
    else this.openCalls.splice(at, 1)
  }

  media(kind: keyof typeof MEDIA_TOKENS): void {
    this.inputTokens += MEDIA_TOKENS[kind]
  }

  tool(name: string, description: string, schema: JsonObject): void {
    this.inputTokens += countTokens(name) + countTokens(description) + countTokens(JSON.stringify(schema))
    this.tools.push({ name, schema })
  }
}
