import { TASKS } from '../../contract/task.ts'
import type { Exchange, Incoming } from '../../pipeline/exchange.ts'
import { fieldsOf, isFields } from './call-fields.ts'
import { needsOf } from './call-needs.ts'
import { inputTokensAtMost, inputTokensOf, outputTokensMaxOf } from './call-size.ts'
import { lastUserText, turnCount } from './call-text.ts'
import { type CapabilitySet, hasAny, toSet } from './capabilities.ts'
import { type Complexity, complexityOf } from './complexity.ts'
import { guessTask, type TaskGuess } from './guess-task.ts'

/** What choosing a target has to know of a call. */
export type RoutingCall = Pick<Exchange, 'incoming' | 'caller'>

const SCHEMA = toSet('structured-output')
const REASONING = toSet('reasoning')

/** Facts of one call, each read when it is first asked for: most routes ask for few. */
export class CallFacts {
  readonly incoming: Incoming
  readonly organizationId: string | undefined
  private input: number | undefined
  private told: TaskGuess | undefined

  constructor({ incoming, caller }: RoutingCall) {
    this.incoming = incoming
    this.organizationId = caller?.organizationId
  }

  /** A guess. */
  get inputTokens(): number {
    this.input ??= inputTokensOf(this.incoming)
    return this.input
  }

  /** As the caller set it, of one answer. */
  get outputTokensMax(): number | undefined {
    return outputTokensMaxOf(this.incoming)
  }

  /** As the caller named it, else guessed from what it wrote last. */
  get task(): TaskGuess {
    this.told ??= taskOf(this.incoming)
    return this.told
  }

  needs(asked: CapabilitySet): CapabilitySet {
    return needsOf(this.incoming, asked)
  }

  /** @returns whether input and output together are more than that, as far as can be guessed */
  exceeds(contextTokens: number): boolean {
    const output = this.outputTokensMax ?? 0
    const atMost = inputTokensAtMost(this.incoming)
    if (atMost !== undefined && atMost + output <= contextTokens) return false
    return this.inputTokens + output > contextTokens
  }

  complexity(): Complexity {
    const { incoming } = this
    const needs = this.needs(SCHEMA | REASONING)
    return complexityOf({
      inputTokens: this.inputTokens,
      hasCode: hasCode(lastUserText(incoming)),
      tools: toolCount(incoming),
      hasSchema: hasAny(needs, SCHEMA),
      asksForReasoning: hasAny(needs, REASONING),
      task: this.task.task,
      turns: turnCount(incoming),
    })
  }
}

function taskOf(incoming: Incoming): TaskGuess {
  const named = TASKS.find((task) => task === incoming.hints.task)
  return named === undefined ? guessTask(lastUserText(incoming)) : { task: named, because: NAMED }
}

const NAMED = 'the caller says so'

/** What code has and prose has not. */
const CODE = /```|[;{]\s*\n|=>|\b(?:const|def|class|import|return|public|void|SELECT)\s+\w/

function hasCode(text: string): boolean {
  return CODE.test(text)
}

function toolCount(incoming: Incoming): number {
  const { operation, format, json } = incoming
  if (json === undefined) return operation === 'chat' ? (incoming.chat().tools?.length ?? 0) : 0
  const tools: unknown = json.tools ?? json.functions
  if (!Array.isArray(tools)) return 0
  if (format !== 'gemini') return tools.length
  // Gemini groups its functions.
  return tools.reduce<number>((count, tool) => {
    const { functionDeclarations, function_declarations } = fieldsOf(tool)
    const functions = functionDeclarations ?? function_declarations
    return count + (Array.isArray(functions) ? functions.length : isFields(tool) ? 1 : 0)
  }, 0)
}
