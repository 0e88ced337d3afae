import { createHash } from 'node:crypto'
import { GatewayError } from '../../core/errors.ts'
import { type Amounts, toAmounts, usdToNano } from './amounts.ts'
import { bookedCharges, keptCharges, sealCharges, toChargesText } from './charge-parts.ts'
import type { Billed, Month, MonthState, StatementStore, Sums } from './ports.ts'
import { allBilled, bookStatement } from './reading.ts'
import { daysOf, type Statement, toDocument } from './statement.ts'

export interface Closing {
  readonly month: string
  readonly status: 'closed'
  readonly closedAt: string
  /** It was closed before; nothing was done. */
  readonly alreadyClosed: boolean
  readonly statements: number
  readonly totals: Amounts
  /** SHA-256 over the lines `organization checksum` of all statements, by organization. */
  readonly checksum: string
}

/**
 * Freezes a month and keeps a statement for each organization. What was broken off goes on where it was: the rows were
 * decided at the beginning.
 *
 * @throws GatewayError `invalid_request` where the month is not over
 */
export async function closeMonth(store: StatementStore, month: Month, now: Date): Promise<Closing> {
  if (month.end > now) {
    throw new GatewayError('invalid_request', {
      message: `${month.name} is not over yet (UTC), so it cannot be closed.`,
      param: 'month',
    })
  }
  const state = await store.freeze(month, now)
  if (!state.complete) {
    for await (const organization of allBilled(store, month)) {
      await keepStatement(store, month, state, organization)
    }
    await store.complete(month)
  }
  const { statements, totals } = await store.keptTotals(month)
  return {
    month: month.name,
    status: 'closed',
    closedAt: state.frozenAt.toISOString(),
    alreadyClosed: state.complete,
    statements,
    totals: toAmounts(totals),
    checksum: await monthChecksum(store, month),
  }
}

async function keepStatement(
  store: StatementStore,
  month: Month,
  state: MonthState,
  organization: Billed,
): Promise<void> {
  if ((await store.findStatement(month, organization.id)) !== undefined) return
  const statement = await bookStatement(store, month, state, organization)
  const days = daysOf(statement.breakdowns.day)
  for await (const { day, part, charges } of bookedCharges(store, organization.id, month, days)) {
    await store.keepCharges(organization.id, month, day, part, toChargesText(charges))
  }
  const { document, checksum } = toDocument(statement, {
    charges: await sealCharges(textsOf(keptCharges(store, organization.id, month, days))),
    watermark: await store.watermark(organization.id, month),
  })
  await store.keep(month, { organizationId: organization.id, document, checksum }, sumsOf(statement))
}

async function* textsOf(parts: AsyncIterable<{ readonly text: string }>): AsyncGenerator<string> {
  for await (const { text } of parts) yield text
}

function sumsOf({ totals }: Statement): Sums {
  return {
    requests: totals.requests,
    tokensInput: totals.tokensInput,
    tokensOutput: totals.tokensOutput,
    tokensCached: totals.tokensCached,
    costNanoUsd: usdToNano(totals.costUsd),
    estimated: totals.estimated,
    estimatedNanoUsd: usdToNano(totals.estimatedUsd),
    adjustmentNanoUsd: usdToNano(totals.adjustmentUsd),
  }
}

const PAGE_STATEMENTS = 100

async function monthChecksum(store: StatementStore, month: Month): Promise<string> {
  const digest = createHash('sha256')
  for (let after: string | undefined; ; ) {
    const page = await store.listStatements(month, after, PAGE_STATEMENTS)
    for (const { organizationId, checksum } of page) digest.update(`${organizationId} ${checksum}\n`)
    after = page.at(-1)?.organizationId
    if (after === undefined || page.length < PAGE_STATEMENTS) return digest.digest('hex')
  }
}
