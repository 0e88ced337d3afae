import { GatewayError } from '../../core/errors.ts'
import { toAmounts } from './amounts.ts'
import { toCanonicalJson } from './canonical-json.ts'
import { type Closing, closeMonth } from './closing.ts'
import { type FocusVersion, focusHeader, toFocus } from './focus.ts'
import { parseMonth } from './month.ts'
import type { Billed, Month, MonthState, StatementStore } from './ports.ts'
import { allBilled, chargesOf, type ReadStatement, readStatement } from './reading.ts'
import { type MonthReplay, replayMonth } from './replay-month.ts'
import { csvHeader, toCsv } from './statement-csv.ts'
import { toPdf } from './statement-pdf.ts'

/** Statements of months, one for each organization. Months are `2026-02`; an organization is named by its id. */
export interface Statements {
  /** @returns canonical JSON; of a closed statement the kept bytes */
  json(month: string, organizationId: string): Promise<string>
  /** @returns canonical JSON `{month, status, totals, data: [statement], nextCursor}` */
  page(month: string, page: { limit: number; cursor?: string | undefined }): Promise<string>
  /** @param organizationId unset: all, one after the other */
  csv(month: string, organizationId: string | undefined): Promise<AsyncIterable<string>>
  focus(
    month: string,
    organizationId: string | undefined,
    version: FocusVersion,
  ): Promise<AsyncIterable<string>>
  pdf(month: string, organizationId: string | undefined): Promise<Uint8Array>
  close(month: string): Promise<Closing>
  /** Adds a closed month up again from the ledger. */
  replay(month: string, organizationId: string | undefined): Promise<MonthReplay>
}

export interface StatementsOptions {
  readonly store: StatementStore
  readonly now: () => number
  /** Resolves once every call that has ended stands in the ledger. */
  readonly flush: () => Promise<void>
}

/** A file of more statements than this is refused: it is made in memory, and nobody prints it. */
const PDF_STATEMENTS_MAX = 200

/** @throws GatewayError (all of them) `invalid_request` for a month, `not_found` for an organization */
export function createStatements({ store, now, flush }: StatementsOptions): Statements {
  async function begin(text: string): Promise<{ month: Month; state: MonthState | undefined }> {
    const month = parseMonth(text)
    const state = await store.findMonth(month)
    // Who asks sees every call that was answered here before.
    if (state?.complete !== true) await flush()
    return { month, state }
  }

  async function billedOf(organizationId: string): Promise<Billed> {
    const found = await store.findBilled(organizationId)
    if (found !== undefined) return found
    throw new GatewayError('not_found', { message: `There is no organization \`${organizationId}\`.` })
  }

  async function* each(
    month: Month,
    state: MonthState | undefined,
    one: Billed | undefined,
  ): AsyncGenerator<ReadStatement> {
    for await (const organization of one === undefined ? allBilled(store, month) : [one]) {
      yield await readStatement(store, month, state, organization)
    }
  }

  /** Whatever is wrong with the question is said before the first byte of an answer. */
  async function open(text: string, organizationId: string | undefined) {
    const { month, state } = await begin(text)
    const one = organizationId === undefined ? undefined : await billedOf(organizationId)
    return { month, read: () => each(month, state, one) }
  }

  return {
    async json(text, organizationId) {
      const { month, state } = await begin(text)
      return (await readStatement(store, month, state, await billedOf(organizationId))).text
    },

    async page(text, { limit, cursor }) {
      const { month, state } = await begin(text)
      const rows = await store.listBilled(month, fromCursor(cursor), limit + 1)
      const shown = rows.slice(0, limit)
      const last = shown.at(-1)
      const data: string[] = []
      for (const organization of shown) {
        data.push((await readStatement(store, month, state, organization)).text)
      }
      const totals =
        state?.complete === true ? (await store.keptTotals(month)).totals : await store.totals(month)
      const head = toCanonicalJson({
        month: month.name,
        periodStart: month.start.toISOString(),
        periodEnd: month.end.toISOString(),
        currency: 'USD',
        status: state === undefined ? 'open' : state.complete ? 'closed' : 'closing',
        closedAt: state?.frozenAt.toISOString() ?? null,
        totals: toAmounts(totals),
        nextCursor: rows.length > limit && last !== undefined ? toCursor(last.id) : null,
      })
      // Kept statements go out as they are, also within a list.
      return `${head.slice(0, -1)},"data":[${data.join(',')}]}`
    },

    async csv(text, organizationId) {
      const { read } = await open(text, organizationId)
      return (async function* () {
        yield csvHeader()
        for await (const { statement } of read()) yield toCsv(statement)
      })()
    },

    async focus(text, organizationId, version) {
      const { month, read } = await open(text, organizationId)
      return (async function* () {
        yield focusHeader(version)
        for await (const found of read()) {
          for await (const { charges, names } of chargesOf(store, month, found)) {
            yield toFocus(found.statement, charges, names, version)
          }
        }
      })()
    },

    async pdf(text, organizationId) {
      const { read } = await open(text, organizationId)
      const statements = []
      for await (const { statement } of read()) {
        if (statements.length === PDF_STATEMENTS_MAX) {
          throw new GatewayError('invalid_request', {
            message: `More than ${PDF_STATEMENTS_MAX} organizations do not go into one PDF: name one.`,
            param: 'organizationId',
          })
        }
        statements.push(statement)
      }
      return toPdf(statements, new Date(now()))
    },

    async close(text) {
      const month = parseMonth(text)
      await flush()
      return closeMonth(store, month, new Date(now()))
    },

    async replay(text, organizationId) {
      const { month, state } = await begin(text)
      const one = organizationId === undefined ? undefined : await billedOf(organizationId)
      return replayMonth(store, month, state, one)
    },
  }
}

function toCursor(organizationId: string): string {
  return Buffer.from(organizationId).toString('base64url')
}

function fromCursor(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString()
}
