import type { Amounts, SpentStore } from '../limits/ports.ts'
import type { Database } from './database.ts'
import { LEDGER_SUMS, toSpentStatement } from './spent-query.ts'

/** A statement of a handful of parts each is planned in a moment. */
const QUERIES_MAX = 64
const IDS_MAX = 1000

const NOTHING: Amounts = { requests: 0, tokens: 0, costNanoUsd: 0 }

interface SumsRecord {
  readonly requests: number | bigint
  readonly tokens: number | bigint
  readonly cost_nano_usd: number | bigint
}

/** What the ledger says was used, in SQL. */
export function createSpentStore(database: Database): SpentStore {
  return {
    async spent(organizationId, queries) {
      const sums: Amounts[] = queries.map(() => NOTHING)
      for (let start = 0; start < queries.length; start += QUERIES_MAX) {
        const page = queries.slice(start, start + QUERIES_MAX)
        const { sql, parameters } = toSpentStatement(organizationId, page)
        if (sql === '') continue
        const { rows } = await database.query<SumsRecord & { readonly place: number }>(sql, parameters)
        for (const row of rows) sums[start + row.place] = toAmounts(row)
      }
      return sums
    },

    async settled(requestIds) {
      const settled = new Map<string, Amounts>()
      for (let start = 0; start < requestIds.length; start += IDS_MAX) {
        const { rows } = await database.query<SumsRecord & { readonly request_id: string }>(
          `SELECT request_id, requests, tokens::bigint AS tokens, cost_nano_usd::bigint AS cost_nano_usd FROM (
             SELECT request_id, ${LEDGER_SUMS} FROM ledger WHERE request_id = ANY($1) GROUP BY request_id
           ) AS calls`,
          [requestIds.slice(start, start + IDS_MAX)],
        )
        for (const row of rows) settled.set(row.request_id, toAmounts(row))
      }
      return settled
    },
  }
}

function toAmounts(row: SumsRecord): Amounts {
  return {
    requests: toCount(row.requests),
    tokens: toCount(row.tokens),
    costNanoUsd: toCount(row.cost_nano_usd),
  }
}

/** Counters stop at the largest number that is exact, and so do the books they are compared with. */
function toCount(value: number | bigint): number {
  return Math.max(0, Math.min(Number(value), Number.MAX_SAFE_INTEGER))
}
