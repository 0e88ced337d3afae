import { toCanonicalJson } from './canonical-json.ts'
import { bookedCharges, fromChargesText, keptCharges } from './charge-parts.ts'
import type { Billed, Charge, Month, MonthState, Names, StatementStore } from './ports.ts'
import { daysOf, fromDocument, namesOf, type Statement, toStatement } from './statement.ts'

/**
 * Lines of one breakdown: beyond that, the smallest are joined. End users may be as many as calls, and nobody reads a
 * statement of a million lines.
 */
export const LINES_MAX = 10_000

/** A statement with the bytes it is served as. */
export interface ReadStatement {
  readonly statement: Statement
  /** Canonical JSON; for a closed statement what was kept. */
  readonly text: string
  /** Whether it was kept, and so will never be another. */
  readonly kept: boolean
}

/** @returns the kept statement where there is one, else what the ledger says now */
export async function readStatement(
  store: StatementStore,
  month: Month,
  state: MonthState | undefined,
  organization: Billed,
): Promise<ReadStatement> {
  const kept = state === undefined ? undefined : await store.findStatement(month, organization.id)
  if (kept !== undefined) {
    return { statement: fromDocument(kept.document), text: kept.document, kept: true }
  }
  const statement = await bookStatement(store, month, state, organization)
  return { statement, text: toCanonicalJson(statement), kept: false }
}

/** @param names those to show; unset: as they are now */
export async function bookStatement(
  store: StatementStore,
  month: Month,
  state: MonthState | undefined,
  organization: Billed,
  names?: Names,
): Promise<Statement> {
  const booked = await store.book(organization.id, month, LINES_MAX)
  const ids = (breakdown: 'team' | 'key') =>
    booked.lines.flatMap((line) =>
      line.breakdown === breakdown && typeof line.values[0] === 'string' ? [line.values[0]] : [],
    )
  return toStatement({
    month,
    organization,
    state,
    booked,
    names: names ?? (await store.names(organization.id, ids('team'), ids('key'))),
  })
}

/** @returns the charges behind a statement, some thousand at a time, and the names they are shown with */
export async function* chargesOf(
  store: StatementStore,
  month: Month,
  { statement, kept }: ReadStatement,
): AsyncGenerator<{ readonly charges: readonly Charge[]; readonly names: Names }> {
  const names = namesOf(statement)
  const { organizationId } = statement
  const days = daysOf(statement.breakdowns.day)
  if (kept) {
    for await (const { text } of keptCharges(store, organizationId, month, days)) {
      yield { charges: fromChargesText(text), names }
    }
    return
  }
  for await (const { charges } of bookedCharges(store, organizationId, month, days)) yield { charges, names }
}

const PAGE_ORGANIZATIONS = 100

/** @returns every organization that has a statement for the month, by id */
export async function* allBilled(store: StatementStore, month: Month): AsyncGenerator<Billed> {
  for (let after: string | undefined; ; ) {
    const page = await store.listBilled(month, after, PAGE_ORGANIZATIONS)
    yield* page
    after = page.at(-1)?.id
    if (after === undefined || page.length < PAGE_ORGANIZATIONS) return
  }
}
