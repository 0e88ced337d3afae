import type { Result } from '../../test/money/served.ts'
import type { LedgerView } from './ledger-view.ts'

/** A budget of a scenario, and the calls that it covers. */
export interface Covered {
  /** `organization`, `user/ann`, `tag/deal=D-17`. */
  readonly name: string
  readonly limitNanoUsd: number
}

export interface Outcome {
  readonly sent: number
  readonly answered: number
  readonly exhausted: number
  /** Refused or broken for another reason: no store, no connection, an error of the provider. */
  readonly failed: number
  readonly spentNanoUsd: number
  readonly limitNanoUsd: number
  /** Of all budgets together. */
  readonly overspendNanoUsd: number
  /** Refused for the budget, though it had room for them at the end. */
  readonly falseRefusals: number
  readonly lostRows: number
  readonly doubledRows: number
  readonly heldNanoUsd: number
  readonly seconds: number
}

export function toOutcome(
  results: readonly Result[],
  ledger: LedgerView,
  budgets: readonly Covered[],
  callNanoUsd: number,
  rest: { readonly heldNanoUsd: number; readonly seconds: number },
): Outcome {
  const spentOf = ({ name }: Covered) =>
    name === 'organization' ? ledger.costNanoUsd : (ledger.costOf.get(name) ?? 0)
  const [whole] = budgets
  if (whole === undefined) throw new Error('A scenario has a budget.')
  const exhausted = results.filter(({ code }) => code === 'budget_exhausted').length
  const answered = results.filter(({ isWhole }) => isWhole)
  const unused = Math.min(...budgets.map((budget) => budget.limitNanoUsd - spentOf(budget)))
  // Of nested budgets the narrow ones fill up, and the wide one is used by others.
  const left = budgets.length > 1 ? 0 : Math.max(0, Math.floor(unused / callNanoUsd) - 1)
  return {
    sent: results.length,
    answered: answered.length,
    exhausted,
    failed: results.filter(({ status, code }) => status !== 200 && code !== 'budget_exhausted').length,
    spentNanoUsd: ledger.costNanoUsd,
    limitNanoUsd: whole.limitNanoUsd,
    overspendNanoUsd: budgets.reduce(
      (sum, budget) => sum + Math.max(0, spentOf(budget) - budget.limitNanoUsd),
      0,
    ),
    falseRefusals: Math.min(exhausted, left),
    lostRows: answered.filter(({ id }) => !ledger.rowsOf.has(id)).length,
    doubledRows: [...ledger.rowsOf.values()].filter((rows) => rows > 1).length,
    ...rest,
  }
}

export function sumOf(outcomes: readonly Outcome[]): Outcome {
  const [first, ...others] = outcomes
  if (first === undefined) throw new Error('There is nothing to sum up.')
  const sum: Record<string, number> = { ...first }
  for (const other of others)
    for (const [name, value] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + value
  return { ...first, ...sum }
}

/** @returns what must not be, in words; nothing where all is as it has to be */
export function wrongWith(outcome: Outcome): string[] {
  const { overspendNanoUsd, lostRows, doubledRows, heldNanoUsd } = outcome
  const wrong: string[] = []
  if (overspendNanoUsd > 0) wrong.push(`${overspendNanoUsd / 1e9} USD overspent`)
  if (lostRows > 0) wrong.push(`${lostRows} rows lost`)
  if (doubledRows > 0) wrong.push(`${doubledRows} rows doubled`)
  if (heldNanoUsd > 0) wrong.push(`${heldNanoUsd / 1e9} USD still held`)
  return wrong
}

export const HEAD = [
  'scenario',
  'sent',
  'answered',
  'exhausted',
  'failed',
  'spent %',
  'overspend USD',
  'unused %',
  'false refusals',
  'lost',
  'doubled',
  'held USD',
  's',
]

export function toCells(name: string, outcome: Outcome): string[] {
  const share = (outcome.spentNanoUsd / outcome.limitNanoUsd) * 100
  return [
    name,
    String(outcome.sent),
    String(outcome.answered),
    String(outcome.exhausted),
    String(outcome.failed),
    share.toFixed(1),
    (outcome.overspendNanoUsd / 1e9).toFixed(6),
    Math.max(0, 100 - share).toFixed(1),
    String(outcome.falseRefusals),
    String(outcome.lostRows),
    String(outcome.doubledRows),
    (outcome.heldNanoUsd / 1e9).toFixed(6),
    outcome.seconds.toFixed(1),
  ]
}
