import type { Task } from '../../contract/task.ts'
import type { Tier } from './route-settings.ts'

/** What is measured of a call to say how hard it is. */
export interface ComplexityFacts {
  readonly inputTokens: number
  readonly hasCode: boolean
  readonly tools: number
  readonly hasSchema: boolean
  readonly asksForReasoning: boolean
  readonly task: Task
  readonly turns: number
}

export interface Complexity {
  /** From 0 to 100. */
  readonly score: number
  /** The parts that are not 0, largest first: `analysis 25, length 18`. */
  readonly parts: string
  /** The least that is good enough. */
  readonly tier: Tier
}

/** Points of each part; they are choices, not measurements, and few enough to be argued about. */
const LENGTH_MOST = 25
/** A short question; what is longer takes more to understand, by its logarithm, up to a long document. */
const LENGTH_FROM_TOKENS = 200
const LENGTH_TO_TOKENS = 8000
const CODE = 10
const TOOLS_ANY = 5
const TOOLS_MOST = 15
const SCHEMA = 5
const REASONING = 20
const TURNS_FREE = 2
const TURNS_MOST = 10
const OF_TASK: Readonly<Record<Task, number>> = {
  chat: 0,
  classification: 0,
  extraction: 5,
  translation: 5,
  summarization: 10,
  validation: 15,
  synthesis: 20,
  code: 20,
  analysis: 25,
}

const MEDIUM_FROM = 20
const LARGE_FROM = 45

export function complexityOf(facts: ComplexityFacts): Complexity {
  const parts: (readonly [string, number])[] = [
    ['length', lengthPoints(facts.inputTokens)],
    ['code', facts.hasCode ? CODE : 0],
    ['tools', facts.tools === 0 ? 0 : Math.min(TOOLS_MOST, TOOLS_ANY + facts.tools)],
    ['schema', facts.hasSchema ? SCHEMA : 0],
    ['reasoning', facts.asksForReasoning ? REASONING : 0],
    [facts.task, OF_TASK[facts.task]],
    ['turns', Math.min(TURNS_MOST, Math.max(0, facts.turns - TURNS_FREE))],
  ]
  const told = parts.filter(([, points]) => points > 0).sort(([, one], [, other]) => other - one)
  const score = Math.min(
    100,
    told.reduce((sum, [, points]) => sum + points, 0),
  )
  return {
    score,
    parts: told.map(([name, points]) => `${name} ${points}`).join(', '),
    tier: score < MEDIUM_FROM ? 'small' : score < LARGE_FROM ? 'medium' : 'large',
  }
}

function lengthPoints(tokens: number): number {
  if (tokens <= LENGTH_FROM_TOKENS) return 0
  const share = Math.log(tokens / LENGTH_FROM_TOKENS) / Math.log(LENGTH_TO_TOKENS / LENGTH_FROM_TOKENS)
  return Math.round(LENGTH_MOST * Math.min(1, share))
}
