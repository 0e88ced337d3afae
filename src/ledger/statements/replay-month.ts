import { GatewayError } from '../../core/errors.ts'
import { toAmounts } from './amounts.ts'
import type { Billed, Month, MonthState, StatementStore } from './ports.ts'
import { allBilled, bookStatement } from './reading.ts'
import { compareStatements, replayStatement, type StatementReplay } from './replay.ts'
import type { Statement } from './statement.ts'

export interface MonthReplay {
  readonly month: string
  readonly equal: boolean
  /** How many were added up again. */
  readonly statements: number
  /** Those that differ; more than some hundred are left out. */
  readonly different: readonly StatementReplay[]
  readonly differentCount: number
}

const DIFFERENT_MAX = 100

/**
 * @param one unset: all organizations
 * @throws GatewayError `conflict` where the month is not closed
 */
export async function replayMonth(
  store: StatementStore,
  month: Month,
  state: MonthState | undefined,
  one: Billed | undefined,
): Promise<MonthReplay> {
  if (state?.complete !== true) {
    throw new GatewayError('conflict', {
      message: `${month.name} is not closed, so there is nothing to hold the ledger against.`,
    })
  }
  const different: StatementReplay[] = []
  let statements = 0
  let differentCount = 0
  for await (const organization of one === undefined ? allBilled(store, month) : [one]) {
    const replay = await replayOne(store, month, state, organization)
    if (replay === undefined) continue
    statements++
    if (replay.equal) continue
    differentCount++
    if (different.length < DIFFERENT_MAX) different.push(replay)
  }
  return { month: month.name, equal: differentCount === 0, statements, different, differentCount }
}

async function replayOne(
  store: StatementStore,
  month: Month,
  state: MonthState,
  organization: Billed,
): Promise<StatementReplay | undefined> {
  const stored = await store.findStatement(month, organization.id)
  if (stored !== undefined) return replayStatement(store, month, state, stored)
  // No statement was made; that is right only where the ledger has nothing either.
  const booked = await bookStatement(store, month, state, organization)
  const differences = compareStatements(emptied(booked), booked)
  if (differences.length === 0) return undefined
  return {
    organizationId: organization.id,
    equal: false,
    checksum: '',
    ledgerChecksum: '',
    differences,
    differenceCount: differences.length,
  }
}

const NOTHING = toAmounts({
  requests: 0,
  tokensInput: 0,
  tokensOutput: 0,
  tokensCached: 0,
  costNanoUsd: 0n,
  estimated: 0,
  estimatedNanoUsd: 0n,
  adjustmentNanoUsd: 0n,
})

/** @returns a statement of the same organization that says nothing was used */
function emptied(statement: Statement): Statement {
  return { ...statement, totals: NOTHING, breakdowns: NO_LINES, adjustments: [] }
}

const NO_LINES: Statement['breakdowns'] = {
  team: [],
  key: [],
  user: [],
  model: [],
  operation: [],
  task: [],
  deal: [],
  cycle: [],
  day: [],
}
