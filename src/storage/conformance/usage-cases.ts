import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GROUPS, type Group, type LedgerRow, type UsageQuery, type UsageRow } from '../../ledger/ports.ts'
import type { Database } from '../database.ts'
import { ledgerRow } from '../ledger-row-fixture.ts'
import { createLedgerStore } from '../ledger-store.ts'

const DAY_MS = 86_400_000
const START = Date.UTC(2026, 2, 27)
const ROWS_MAX = 1000

/** What the ledger must answer, from the definition alone. */
function sumByHand(rows: readonly LedgerRow[], query: UsageQuery): UsageRow[] {
  const groups = new Map<string, UsageRow>()
  for (const row of rows) {
    if (row.createdAt < query.from || row.createdAt >= query.to) continue
    if (query.organizationId !== undefined && row.organizationId !== query.organizationId) continue
    const values = query.groupBy.map((group) => groupValue(row, group))
    const periodStart = query.interval === undefined ? undefined : startOf(row.createdAt, query.interval)
    const key = JSON.stringify([values, periodStart])
    const sum = groups.get(key)
    const final = row.final ? 1 : 0
    groups.set(key, {
      groups: values,
      periodStart,
      requests: (sum?.requests ?? 0) + final,
      errors: (sum?.errors ?? 0) + (row.status >= 400 ? final : 0),
      cacheHits: (sum?.cacheHits ?? 0) + (['exact', 'semantic'].includes(row.cache) ? final : 0),
      tokensInput: (sum?.tokensInput ?? 0) + (row.tokensInput ?? 0),
      tokensOutput: (sum?.tokensOutput ?? 0) + (row.tokensOutput ?? 0),
      tokensTotal: (sum?.tokensTotal ?? 0) + (row.tokensInput ?? 0) + (row.tokensOutput ?? 0),
      tokensCached: (sum?.tokensCached ?? 0) + (row.tokensCached ?? 0),
      costNanoUsd: (sum?.costNanoUsd ?? 0) + row.costNanoUsd,
      estimated: (sum?.estimated ?? 0) + (row.estimated ? 1 : 0),
    })
  }
  return [...groups.values()]
}

function groupValue(row: LedgerRow, group: Group): string | null {
  if (group.startsWith('tag:')) return row.tags[group.slice(4)] ?? null
  const fields = {
    organization: row.organizationId,
    team: row.teamId,
    key: row.keyId,
    user: row.userId,
    session: row.sessionId,
    provider: row.provider,
    model: row.model,
    operation: row.operation,
    task: row.task,
  }
  return fields[group as keyof typeof fields]
}

function startOf(moment: Date, interval: 'hour' | 'day' | 'month'): Date {
  const length = { hour: 13, day: 10, month: 7 }[interval]
  const rest = { hour: ':00:00.000Z', day: 'T00:00:00.000Z', month: '-01T00:00:00.000Z' }[interval]
  return new Date(moment.toISOString().slice(0, length) + rest)
}

function sorted(rows: readonly UsageRow[]): UsageRow[] {
  const key = (row: UsageRow) => JSON.stringify([row.periodStart, row.groups])
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

const maybe = (...values: string[]) => fc.constantFrom(null, ...values)
const count = fc.option(fc.integer({ min: 0, max: 100_000 }))
/** Moments at and around the edges of hours, days and months. */
const moment = fc
  .tuple(fc.integer({ min: 0, max: 9 * 24 }), fc.constantFrom(-1, 0, 1, 1_800_000))
  .map(([hour, offset]) => new Date(START + hour * 3_600_000 + offset))

const anyRow = fc.record({
  final: fc.boolean(),
  teamId: maybe('', 't'),
  keyId: maybe('', 'k'),
  userId: maybe('u1', 'u2'),
  sessionId: maybe('s'),
  tags: fc.constantFrom<Record<string, string>>({}, { deal: 'D-1' }, { deal: 'D-2', cycle: '3' }),
  provider: maybe('openai', 'anthropic'),
  model: maybe('', 'm'),
  operation: fc.constantFrom('chat', 'embedding'),
  task: maybe('code'),
  status: fc.constantFrom(200, 399, 400, 503),
  tokensInput: count,
  tokensOutput: count,
  tokensCached: count,
  costNanoUsd: fc.integer({ min: 0, max: 5_000_000_000 }),
  estimated: fc.boolean(),
  cache: fc.constantFrom('miss', 'exact', 'semantic', 'bypass'),
  createdAt: moment,
})

const anyQuery = fc.record({
  bounds: fc
    .tuple(moment, moment)
    .map(([a, b]) => (a.getTime() <= b.getTime() ? { from: a, to: b } : { from: b, to: a })),
  groupBy: fc.uniqueArray(fc.constantFrom<Group>(...GROUPS, 'tag:deal', 'tag:none'), { maxLength: 3 }),
  interval: fc.constantFrom('hour' as const, 'day' as const, 'month' as const, undefined),
  scoped: fc.boolean(),
})

export function testUsage(database: () => Database): void {
  describe('usage()', () => {
    it('usage() sums exactly what the rows say, wherever it reads', async () => {
      const store = createLedgerStore(database())
      let run = 0
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyRow, { minLength: 1, maxLength: 40 }),
          fc.array(anyQuery, { minLength: 4, maxLength: 8 }),
          async (values, queries) => {
            run++
            const organizationId = `u-${run}`
            const rows = values.map((value, n) =>
              ledgerRow({ ...value, id: `${organizationId}-${n}`, organizationId }),
            )
            const half = Math.ceil(rows.length / 2)
            await store.write(rows.slice(0, half))
            await store.write(rows)
            for (const { bounds, groupBy, interval } of queries) {
              const query: UsageQuery = { ...bounds, groupBy, interval, organizationId, rowsMax: ROWS_MAX }
              expect(sorted(await store.usage(query))).toEqual(sorted(sumByHand(rows, query)))
            }
          },
        ),
        { numRuns: 25 },
      )
    }, 60_000)

    it('usage() keeps organizations apart and sums them together', async () => {
      const store = createLedgerStore(database())
      const at = new Date(Date.UTC(2024, 0, 5, 12))
      await store.write(
        ['u-x', 'u-y', 'u-y'].map((organizationId, n) =>
          ledgerRow({ id: `u-org-${n}`, organizationId, createdAt: at }),
        ),
      )
      const time = {
        from: new Date(Date.UTC(2024, 0, 5)),
        to: new Date(Date.UTC(2024, 0, 6)),
        rowsMax: ROWS_MAX,
      }
      const one = await store.usage({ ...time, groupBy: [], organizationId: 'u-y' })
      expect(one).toMatchObject([{ groups: [], requests: 2, periodStart: undefined }])
      const all = await store.usage({ ...time, groupBy: ['organization'] })
      expect(all.map(({ groups, requests }) => [groups[0], requests])).toEqual([
        ['u-y', 2],
        ['u-x', 1],
      ])
    })

    it('usage() cuts off the rows that cost least', async () => {
      const store = createLedgerStore(database())
      const at = new Date(Date.UTC(2023, 0, 5, 12))
      await store.write(
        [5, 1, 9, 3].map((cost, n) =>
          ledgerRow({
            id: `u-cut-${n}`,
            organizationId: 'u-cut',
            model: `m${n}`,
            costNanoUsd: cost,
            createdAt: at,
          }),
        ),
      )
      const rows = await store.usage({
        from: new Date(at.getTime() - DAY_MS),
        to: new Date(at.getTime() + DAY_MS),
        organizationId: 'u-cut',
        groupBy: ['model'],
        rowsMax: 2,
      })
      expect(rows.map(({ costNanoUsd }) => costNanoUsd)).toEqual([9, 5])
    })

    it('usage() of an empty or reversed time is empty', async () => {
      const store = createLedgerStore(database())
      const at = new Date(START)
      expect(await store.usage({ from: at, to: at, groupBy: [], rowsMax: 10 })).toEqual([])
      const later = new Date(START + 1)
      expect(await store.usage({ from: later, to: at, groupBy: ['model'], rowsMax: 10 })).toEqual([])
    })
  })
}
