import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import { periodAt } from '../limits/period.ts'
import { ORGANIZATION, type Period } from '../limits/policy.ts'
import type { Database } from './database.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { openDatabase } from './open-database.ts'
import { createPolicyStore } from './policy-store.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

let organizations = 0

async function newOrganization(database: Database): Promise<string> {
  const id = `views-${++organizations}`
  await database.query('INSERT INTO organizations (id, name, slug) VALUES ($1, $1, $1)', [id])
  return id
}

function describeViews(name: string, open: () => Promise<{ database: Database; remove(): unknown }>) {
  describe(name, () => {
    let target: { database: Database; remove(): unknown } | undefined
    const database = () => {
      if (target === undefined) throw new Error('The database is not open.')
      return target.database
    }
    const store = () => createPolicyStore(database())
    const write = (rows: readonly Parameters<typeof ledgerRow>[0][]) =>
      createLedgerStore(database()).write(rows.map(ledgerRow))
    const limitsOf = async (id: string) => (await store().find(id, ORGANIZATION))?.limits
    const budgetOf = async (id: string) => (await store().find(id, ORGANIZATION))?.budget
    beforeAll(async () => {
      target = await open()
    }, 60_000)
    afterAll(async () => {
      await target?.database.close()
      await target?.remove()
    })

    describe('gatehouse_period_at()', () => {
      const moment = fc.integer({ min: 0, max: 4_102_444_800_000 })
      const calendar = fc
        .constantFrom('day', 'week', 'month', 'quarter', 'year')
        .map((unit): Period => ({ kind: 'calendar', unit }))
      const custom = fc
        .tuple(moment, fc.integer({ min: MINUTE_MS, max: 400 * 24 * HOUR_MS }))
        .map(([startMs, length]): Period => ({ kind: 'custom', startMs, endMs: startMs + length }))

      it('says what periodAt() says, whatever the time zone of the session', async () => {
        await database().session(async (session) => {
          await session.query(`SET timezone = 'America/New_York'`)
          try {
            await fc.assert(
              fc.asyncProperty(fc.oneof(calendar, custom), moment, async (period, atMs) => {
                const { rows } = await session.query<{ period_start: Date; period_end: Date }>(
                  'SELECT * FROM gatehouse_period_at($1, $2::timestamptz, $3::timestamptz, $4::timestamptz)',
                  [
                    period.kind === 'custom' ? 'custom' : period.unit,
                    period.kind === 'custom' ? new Date(period.startMs).toISOString() : null,
                    period.kind === 'custom' ? new Date(period.endMs).toISOString() : null,
                    new Date(atMs).toISOString(),
                  ],
                )
                const { startMs, endMs } = periodAt(period, atMs)
                expect(rows).toEqual([{ period_start: new Date(startMs), period_end: new Date(endMs) }])
              }),
              { numRuns: 300 },
            )
          } finally {
            await session.query('RESET timezone')
          }
        })
      })
    })

    describe('ai_rate_limits', () => {
      const rowsOf = async (id: string) => {
        const { rows } = await database().query<{ limit_type: string }>(
          `SELECT limit_type, limit_value::float8, current_value::float8,
             extract(epoch FROM window_duration)::int AS seconds,
             extract(epoch FROM now() - window_start)::int AS since
           FROM ai_rate_limits WHERE organization_id = $1`,
          [id],
        )
        return rows
      }

      it('has three rows for an organization with limits, more where more is set, and none without', async () => {
        const id = await newOrganization(database())
        expect(await rowsOf(id)).toEqual([])
        await store().putLimits(id, { scope: 'key', id: 'k' }, { requestsPerMinute: 1 })
        expect(await rowsOf(id)).toEqual([])
        await store().putLimits(id, ORGANIZATION, { requestsPerMinute: 60 })
        const base = { limit_value: null, current_value: 0 }
        expect(await rowsOf(id)).toEqual([
          { ...base, limit_type: 'requests_per_minute', limit_value: 60, seconds: 60, since: 60 },
          { ...base, limit_type: 'tokens_per_hour', seconds: 3600, since: 3600 },
          { ...base, limit_type: 'cost_per_day', seconds: 86_400, since: 86_400 },
        ])
        await store().putLimits(id, ORGANIZATION, { tokensPerMinute: 5, concurrentRequests: 2 })
        expect((await rowsOf(id)).map(({ limit_type }) => limit_type)).toEqual([
          'requests_per_minute',
          'tokens_per_minute',
          'tokens_per_hour',
          'cost_per_day',
          'concurrent_requests',
        ])
      })

      it('has what the ledger says of the trailing window; a refused call used nothing', async () => {
        const id = await newOrganization(database())
        await store().putLimits(id, ORGANIZATION, { tokensPerMinute: 1 })
        const now = Date.now()
        const row = (name: string, ageMs: number, more = {}) => ({
          id: `${id}-${name}`,
          organizationId: id,
          tokensInput: 3,
          tokensOutput: 4,
          costNanoUsd: 500_000_000,
          createdAt: new Date(now - ageMs),
          ...more,
        })
        await write([
          row('now', 5000),
          row('attempt', 5000, { final: false }),
          row('refused', 5000, {
            errorCode: 'tokens_per_minute_exceeded',
            tokensInput: null,
            tokensOutput: null,
            costNanoUsd: 0,
          }),
          row('this hour', 30 * MINUTE_MS),
          row('today', 23.5 * HOUR_MS),
          row('edge', 24 * HOUR_MS - MINUTE_MS),
          row('yesterday', 24 * HOUR_MS + MINUTE_MS),
        ])
        const values = Object.fromEntries(
          (
            await database().query<{ limit_type: string; current_value: string }>(
              'SELECT limit_type, current_value FROM ai_rate_limits WHERE organization_id = $1',
              [id],
            )
          ).rows.map((each) => [each.limit_type, each.current_value]),
        )
        expect(values).toEqual({
          requests_per_minute: '1',
          tokens_per_minute: '14',
          tokens_per_hour: '21',
          cost_per_day: '2.5',
        })
      })

      it.each([
        ['requests_per_minute', '7', { requestsPerMinute: 7 }],
        ['tokens_per_minute', '0', { tokensPerMinute: 0 }],
        ['tokens_per_hour', '9007199254740991', { tokensPerHour: Number.MAX_SAFE_INTEGER }],
        ['cost_per_day', '1.000000001', { costPerDayNanoUsd: 1_000_000_001 }],
        ['concurrent_requests', '3', { concurrentRequests: 3 }],
      ])('an INSERT, UPDATE and DELETE of %s sets, changes and lifts it', async (type, value, expected) => {
        const id = await newOrganization(database())
        await store().putLimits(id, ORGANIZATION, { failClosed: true })
        const insert = `INSERT INTO ai_rate_limits (organization_id, limit_type, limit_value, current_value) VALUES ($1, $2, $3, 0)`
        expect((await database().query(insert, [id, type, '5'])).count).toBe(1)
        const updated = await database().query(
          `UPDATE ai_rate_limits SET limit_value = $3, updated_at = now() WHERE organization_id = $1 AND limit_type = $2`,
          [id, type, value],
        )
        expect(updated.count).toBe(1)
        expect(await limitsOf(id)).toMatchObject({ ...expected, failClosed: true })
        await database().query('DELETE FROM ai_rate_limits WHERE organization_id = $1 AND limit_type = $2', [
          id,
          type,
        ])
        expect(Object.values((await limitsOf(id)) ?? {}).filter((each) => typeof each === 'number')).toEqual(
          [],
        )
      })

      it.each([
        ['current_value = 7', /what the ledger says/],
        [`window_start = now() + interval '1 day'`, /what the ledger says/],
        [`window_duration = interval '2 minutes'`, /what the ledger says/],
        [`limit_type = 'cost_per_day'`, /stays with its organization/],
        ['limit_value = 0.5', /is not possible/],
        ['limit_value = -1', /is not possible/],
        [`limit_value = 'NaN'`, /is not possible/],
      ])('an UPDATE SET %s is refused', async (change, message) => {
        const id = await newOrganization(database())
        await store().putLimits(id, ORGANIZATION, { requestsPerMinute: 5 })
        const statement = `UPDATE ai_rate_limits SET ${change} WHERE organization_id = $1 AND limit_type = 'requests_per_minute'`
        await expect(database().query(statement, [id])).rejects.toThrow(message)
        expect(await limitsOf(id)).toMatchObject({ requestsPerMinute: 5 })
      })

      it('an INSERT of an unknown type or organization is refused', async () => {
        const id = await newOrganization(database())
        const insert = `INSERT INTO ai_rate_limits (organization_id, limit_type, limit_value) VALUES ($1, $2, 1)`
        await expect(database().query(insert, [id, 'requests_per_day'])).rejects.toThrow(/is none of/)
        await expect(database().query(insert, ['nobody', 'cost_per_day'])).rejects.toThrow(/foreign key/)
      })
    })

    describe('ai_budgets', () => {
      it('follows the ledger in the same transaction, for whole hours and the rest', async () => {
        const id = await newOrganization(database())
        const now = Date.now()
        const startMs = now - 5 * HOUR_MS - 10 * MINUTE_MS
        await store().putBudget(id, ORGANIZATION, {
          limitNanoUsd: 12_500_000_001,
          alertAt: [0.5, 0.9],
          hardLimit: false,
          period: { kind: 'custom', startMs, endMs: startMs + 10 * HOUR_MS },
        })
        const read = async () =>
          (await database().query('SELECT * FROM ai_budgets WHERE organization_id = $1', [id])).rows
        const row = {
          organization_id: id,
          monthly_limit_usd: '12.500000001',
          current_spend_usd: '0',
          alert_threshold: '0.5',
          hard_limit: false,
          billing_period_start: new Date(startMs),
          billing_period_end: new Date(startMs + 10 * HOUR_MS),
        }
        expect(await read()).toEqual([row])
        const spend = (nth: number, ageMs: number) => ({
          id: `${id}-${nth}`,
          organizationId: id,
          costNanoUsd: 10 ** nth,
          createdAt: new Date(startMs + ageMs),
        })
        await write([
          spend(0, -1),
          spend(1, 0),
          spend(2, 5 * MINUTE_MS),
          spend(3, 3 * HOUR_MS),
          spend(4, 10 * HOUR_MS - 1),
          spend(5, 10 * HOUR_MS),
        ])
        expect(await read()).toEqual([{ ...row, current_spend_usd: '0.00001111' }])
      })

      it('an INSERT makes a budget, or changes what it names', async () => {
        const id = await newOrganization(database())
        await database().query(
          `INSERT INTO ai_budgets (organization_id, monthly_limit_usd, current_spend_usd) VALUES ($1, 50, 0)`,
          [id],
        )
        expect(await budgetOf(id)).toEqual({
          limitNanoUsd: 50_000_000_000,
          hardLimit: true,
          alertAt: [0.8, 1],
          period: { kind: 'calendar', unit: 'month' },
        })
        await database().query(
          `INSERT INTO ai_budgets (organization_id, monthly_limit_usd, alert_threshold, hard_limit) VALUES ($1, 60, 0.7, false)`,
          [id],
        )
        expect(await budgetOf(id)).toMatchObject({
          limitNanoUsd: 60_000_000_000,
          hardLimit: false,
          alertAt: [0.7, 0.8, 1],
        })
      })

      it('an UPDATE changes what it names and keeps the rest', async () => {
        const id = await newOrganization(database())
        await store().putBudget(id, ORGANIZATION, {
          limitNanoUsd: 5,
          period: { kind: 'calendar', unit: 'week' },
        })
        const update = (change: string) =>
          database().query(`UPDATE ai_budgets SET ${change} WHERE organization_id = $1`, [id])
        expect((await update('monthly_limit_usd = 0.000000007')).count).toBe(1)
        await update('hard_limit = false')
        await update('alert_threshold = 0.9')
        await update('current_spend_usd = current_spend_usd')
        const kept = { limitNanoUsd: 7, hardLimit: false, period: { kind: 'calendar', unit: 'week' } }
        expect(await budgetOf(id)).toEqual({ ...kept, alertAt: [0.9, 1] })
        await update('alert_threshold = 1.5')
        expect(await budgetOf(id)).toEqual({ ...kept, alertAt: [1.5] })
        await update('alert_threshold = NULL, monthly_limit_usd = NULL')
        expect(await budgetOf(id)).toEqual({ ...kept, limitNanoUsd: null, alertAt: [] })
      })

      it('a period by hand repeats with its own length, and a month of the calendar is one', async () => {
        const id = await newOrganization(database())
        await store().putBudget(id, ORGANIZATION, {})
        const setPeriod = (start: string, end: string) =>
          database().query(
            `UPDATE ai_budgets SET billing_period_start = $2::timestamptz, billing_period_end = $3::timestamptz
             WHERE organization_id = $1`,
            [id, start, end],
          )
        await setPeriod('2026-01-05T06:00:00Z', '2026-01-19T06:00:00Z')
        expect((await budgetOf(id))?.period).toEqual({
          kind: 'custom',
          startMs: Date.UTC(2026, 0, 5, 6),
          endMs: Date.UTC(2026, 0, 19, 6),
        })
        await setPeriod('2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z')
        expect((await budgetOf(id))?.period).toEqual({ kind: 'calendar', unit: 'month' })
      })

      it.each([
        ['current_spend_usd = 5', /what the ledger says/],
        [`organization_id = 'other'`, /stays with its organization/],
        ['monthly_limit_usd = -1', /is not possible/],
        ['monthly_limit_usd = 0.0000000001', /is not possible/],
        ['monthly_limit_usd = 9007200', /is not possible/],
        ['alert_threshold = 80', /a share/],
        ['billing_period_end = billing_period_start', /has to be a minute after/],
        ['billing_period_end = NULL', /has to be a minute after/],
        ['hard_limit = NULL', /not-null/],
      ])('an UPDATE SET %s is refused', async (change, message) => {
        const id = await newOrganization(database())
        const { budget } = await store().putBudget(id, ORGANIZATION, { limitNanoUsd: 5 })
        await expect(
          database().query(`UPDATE ai_budgets SET ${change} WHERE organization_id = $1`, [id]),
        ).rejects.toThrow(message)
        expect(await budgetOf(id)).toEqual(budget)
      })

      it('a DELETE takes the budget away', async () => {
        const id = await newOrganization(database())
        await store().putBudget(id, ORGANIZATION, {})
        await store().putBudget(id, { scope: 'key', id: 'k' }, {})
        expect(
          (await database().query('DELETE FROM ai_budgets WHERE organization_id = $1', [id])).count,
        ).toBe(1)
        expect((await store().list(id)).map(({ subject }) => subject.scope)).toEqual(['key'])
      })
    })

    it('audit_logs has each refused call once, and no other', async () => {
      const id = await newOrganization(database())
      const codes = [
        'requests_per_minute_exceeded',
        'tokens_per_minute_exceeded',
        'tokens_per_hour_exceeded',
        'cost_per_day_exceeded',
        'concurrency_exceeded',
        'budget_exhausted',
      ]
      await write([
        ...codes.map((errorCode) => ({
          id: `${id}-${errorCode}`,
          requestId: `req-${errorCode}`,
          organizationId: id,
          userId: 'u',
          errorCode,
        })),
        { id: `${id}-failed`, organizationId: id, errorCode: 'upstream_rate_limited' },
        { id: `${id}-attempt`, organizationId: id, errorCode: 'budget_exhausted', final: false },
        { id: `${id}-good`, organizationId: id },
      ])
      const { rows } = await database().query<{ action: string; error_code: string }>(
        `SELECT action, error_code, request_id, key_id, user_id, created_at FROM audit_logs
         WHERE organization_id = $1 ORDER BY id`,
        [id],
      )
      expect(rows.map(({ action, error_code }) => [error_code, action])).toEqual(
        codes.toSorted().map((code) => [code, code === 'budget_exhausted' ? code : 'rate_limit_exceeded']),
      )
      expect(rows[0]).toMatchObject({
        request_id: 'req-budget_exhausted',
        key_id: 'key-1',
        user_id: 'u',
        created_at: new Date('2026-11-20T10:00:00.000Z'),
      })
    })

    it.each(['limits', 'budgets', 'ai_rate_limits', 'ai_budgets', 'audit_logs'])(
      'asOrganization() shows nothing of another organization in %s',
      async (table) => {
        const ids = [await newOrganization(database()), await newOrganization(database())]
        for (const id of ids) {
          await store().putLimits(id, ORGANIZATION, {})
          await store().putBudget(id, ORGANIZATION, {})
          await write([{ id, organizationId: id, errorCode: 'budget_exhausted' }])
        }
        const { rows } = await database().asOrganization(ids[0] ?? '', (transaction) =>
          transaction.query(`SELECT DISTINCT organization_id FROM ${table}`),
        )
        expect(rows).toEqual([{ organization_id: ids[0] }])
      },
    )

    it('the views read no more of the ledger than the time they speak of', async () => {
      const { rows } = await database().query<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT * FROM audit_logs WHERE organization_id = 'x' AND created_at > now() - interval '1 hour'`,
      )
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      expect(plan).toMatch(/Index Scan|Index Only Scan|Bitmap/)
    })
  })
}

describeViews('the embedded database', async () => {
  const data = await createDataDirectory()
  return { database: await openDatabase({ dataDir: data.folder }), remove: () => data.remove() }
})

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`views of limits and budgets: ${NO_POSTGRES}`, () => {})
  })
} else {
  describeViews('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
