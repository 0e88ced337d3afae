import { nanoToUsd } from '../../core/money.ts'
import { type Amounts, usdToNano } from './amounts.ts'
import { bookedCharges, sealCharges, toChargesText } from './charge-parts.ts'
import type { StoredStatement } from './ports.ts'
import { BREAKDOWNS, type Month, type MonthState, type StatementStore } from './ports.ts'
import { bookStatement } from './reading.ts'
import { daysOf, fromDocument, isIntact, namesOf, type Statement, toDocument } from './statement.ts'

/** One figure that the ledger has otherwise than the closed statement. */
export interface Difference {
  /** `total`, a breakdown, `adjustment`, `charges`, `watermark` or `document`. */
  readonly breakdown: string
  /** Of the line; `null` for a total, for calls without that name and for lines joined into one. */
  readonly id: string | null
  readonly field: string
  readonly closed: string
  readonly ledger: string
  /** Ledger less statement, where it is about money. */
  readonly differenceUsd?: string
}

export interface StatementReplay {
  readonly organizationId: string
  readonly equal: boolean
  readonly checksum: string
  /** Of what the ledger gives now. */
  readonly ledgerChecksum: string
  /** At most some hundred; `differenceCount` has them all. */
  readonly differences: readonly Difference[]
  readonly differenceCount: number
}

const DIFFERENCES_MAX = 200

/** @returns whether the ledger, added up again, gives the bytes that were kept */
export async function replayStatement(
  store: StatementStore,
  month: Month,
  state: MonthState,
  stored: StoredStatement,
): Promise<StatementReplay> {
  const closed = fromDocument(stored.document)
  const organization = { id: closed.organizationId, name: closed.organizationName }
  // Names may have changed since; figures may not.
  const booked = await bookStatement(store, month, state, organization, namesOf(closed))
  const days = daysOf(booked.breakdowns.day)
  const again = toDocument(booked, {
    charges: await sealCharges(chargeTexts(store, organization.id, month, days)),
    watermark: await store.watermark(organization.id, month),
  })
  const intact = isIntact(stored.document, stored.checksum)
  const ledger = fromDocument(again.document)
  const differences = [
    ...(intact
      ? []
      : [{ breakdown: 'document', id: null, field: 'checksum', closed: 'broken', ledger: 'whole' }]),
    ...(again.checksum === stored.checksum ? [] : compareStatements(closed, ledger)),
  ]
  return {
    organizationId: organization.id,
    equal: intact && again.checksum === stored.checksum,
    checksum: stored.checksum,
    ledgerChecksum: again.checksum,
    differences: differences.slice(0, DIFFERENCES_MAX),
    differenceCount: differences.length,
  }
}

async function* chargeTexts(
  store: StatementStore,
  organizationId: string,
  month: Month,
  days: readonly string[],
): AsyncGenerator<string> {
  for await (const { charges } of bookedCharges(store, organizationId, month, days))
    yield toChargesText(charges)
}

const MONEY = ['costUsd', 'estimatedUsd', 'adjustmentUsd'] as const
const COUNTS = ['requests', 'tokensInput', 'tokensOutput', 'tokensCached', 'estimated'] as const

/** @returns every figure that differs, totals first */
export function compareStatements(closed: Statement, ledger: Statement): Difference[] {
  return [
    ...compareAmounts('total', null, closed.totals, ledger.totals),
    ...BREAKDOWNS.flatMap((breakdown) =>
      compareLines(breakdown, closed.breakdowns[breakdown], ledger.breakdowns[breakdown]),
    ),
    ...compareLines('adjustment', byMonth(closed), byMonth(ledger)),
    ...compareFields('charges', closed.charges, ledger.charges),
    ...compareFields('watermark', closed.watermark, ledger.watermark),
  ]
}

type Line = Amounts & { readonly id: string | null; readonly others?: number }

function byMonth({ adjustments }: Statement): Line[] {
  return adjustments.map((line) => ({ ...line, id: line.month }))
}

function compareLines(breakdown: string, closed: readonly Line[], ledger: readonly Line[]): Difference[] {
  const keyOf = (line: Line) => `${line.others === undefined ? '' : 'others '}${JSON.stringify(line.id)}`
  const before = new Map(closed.map((line) => [keyOf(line), line]))
  const now = new Map(ledger.map((line) => [keyOf(line), line]))
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((key) => {
    const one = before.get(key)
    const other = now.get(key)
    return compareAmounts(breakdown, (one ?? other)?.id ?? null, one, other)
  })
}

function compareAmounts(
  breakdown: string,
  id: string | null,
  closed: Amounts | undefined,
  ledger: Amounts | undefined,
): Difference[] {
  const money = MONEY.flatMap((field) => {
    const before = closed?.[field] ?? '0'
    const now = ledger?.[field] ?? '0'
    if (before === now) return []
    const differenceUsd = nanoToUsd(usdToNano(now) - usdToNano(before))
    return [{ breakdown, id, field, closed: before, ledger: now, differenceUsd }]
  })
  const counts = COUNTS.flatMap((field) => {
    const before = String(closed?.[field] ?? 0)
    const now = String(ledger?.[field] ?? 0)
    return before === now ? [] : [{ breakdown, id, field, closed: before, ledger: now }]
  })
  return [...money, ...counts]
}

function compareFields(
  breakdown: string,
  closed: object | undefined,
  ledger: object | undefined,
): Difference[] {
  const now = new Map(Object.entries(ledger ?? {}))
  return Object.entries(closed ?? {}).flatMap(([field, value]) => {
    const other = now.get(field)
    return value === other
      ? []
      : [{ breakdown, id: null, field, closed: String(value), ledger: String(other) }]
  })
}
