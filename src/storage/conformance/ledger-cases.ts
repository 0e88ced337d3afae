import { describe, expect, it } from 'vitest'
import type { LedgerRow } from '../../ledger/ports.ts'
import type { Database } from '../database.ts'
import { latencyPercentile } from '../latency-histogram.ts'
import { ledgerRow } from '../ledger-row-fixture.ts'
import { createLedgerStore } from '../ledger-store.ts'

const FULL_ROW: LedgerRow = {
  id: 'l-full',
  requestId: 'l-request',
  attempt: 2,
  final: true,
  organizationId: 'l-org',
  teamId: 'team',
  keyId: 'key',
  userId: 'user, "quoted" \\ {braced} NULL',
  sessionId: 'session',
  tags: { deal: 'D-17', emoji: '🙂', NULL: '' },
  provider: 'anthropic',
  model: 'claude-sonnet-4-5',
  requestedModel: 'chat',
  operation: 'chat',
  task: 'analysis',
  format: 'messages',
  stream: true,
  status: 200,
  errorCode: 'none',
  tokensInput: 9_007_199_254_740_991,
  tokensOutput: 0,
  tokensCached: 17,
  tokensCacheWrite: 3,
  tokensReasoning: 2,
  costNanoUsd: 123_456_789_012,
  priceVersion: '2026-11-01',
  estimated: true,
  cache: 'semantic',
  latencyMs: 1234.0625,
  firstTokenMs: 0.1,
  overheadMs: 0.30000000000000004,
  waterfall: { stages: [{ name: 'identify', ms: 0.01 }], text: 'tab\tnewline\n\\ " \\u0000' },
  createdAt: new Date('2026-02-03T04:05:06.789Z'),
}

export function testLedgerStore(database: () => Database): void {
  describe.each(['copy', 'insert'] as const)('LedgerStore, writing by %s', (write) => {
    const store = () => createLedgerStore(database(), { write })
    const org = (name: string) => `l-${write}-${name}`
    const counts = async (organizationId: string) => {
      const { rows } = await database().query<Record<string, number>>(
        `SELECT (SELECT count(*) FROM ledger WHERE organization_id = $1) AS rows,
           (SELECT coalesce(sum(requests), 0)::int8 FROM usage_hourly WHERE organization_id = $1) AS hourly,
           (SELECT coalesce(sum(requests), 0)::int8 FROM usage_daily WHERE organization_id = $1) AS daily`,
        [organizationId],
      )
      return rows[0]
    }

    it('write() keeps every field as it was', async () => {
      const row = { ...FULL_ROW, id: org('full'), requestId: org('full-request') }
      const empty = ledgerRow({
        id: org('empty'),
        requestId: row.requestId,
        provider: null,
        model: null,
        keyId: null,
      })
      await store().write([row, empty])
      const stored = await store().findRequest(row.requestId)
      expect(stored.find(({ id }) => id === row.id)).toEqual(row)
      expect(stored.find(({ id }) => id === empty.id)).toEqual(empty)
    })

    it('write() counts a row once, however often and in whatever company it comes', async () => {
      const organizationId = org('twice')
      const rows = Array.from({ length: 10 }, (_, n) =>
        ledgerRow({ id: `${organizationId}-${n}`, organizationId }),
      )
      await store().write(rows.slice(0, 6))
      await store().write(rows.slice(0, 6))
      await store().write([...rows.slice(4), ...rows.slice(8)])
      await store().write(rows)
      expect(await counts(organizationId)).toEqual({ rows: 10, hourly: 10, daily: 10 })
    })

    it('write() by several writers at once counts each row once', async () => {
      const organizationId = org('race')
      const rows = Array.from({ length: 60 }, (_, n) =>
        ledgerRow({
          id: `${organizationId}-${n}`,
          organizationId,
          keyId: `key-${n % 5}`,
          userId: `user-${n % 7}`,
        }),
      )
      await Promise.all(
        [0, 10, 20, 30].flatMap((start) => [
          store().write(rows.slice(start, start + 30)),
          store().write(rows),
        ]),
      )
      expect(await counts(organizationId)).toEqual({ rows: 60, hourly: 60, daily: 60 })
    })

    it('write() stores what PostgreSQL could not hold in a form that it can', async () => {
      const organizationId = org('hostile')
      const long = 'x'.repeat(5000)
      const users = ['zero\0', 'half \ud83d', long, `${long}y`]
      await store().write(
        users.map((userId, n) =>
          ledgerRow({
            id: `${organizationId}-${n}`,
            organizationId,
            userId,
            tags: { bad: `\0${userId.slice(0, 20)}` },
            waterfall: { bad: '\0 \\u0000 \udc00' },
            latencyMs: Number.NaN,
            status: 2 ** 40 + 200,
            costNanoUsd: 1.5,
          }),
        ),
      )
      const { data } = await store().listRequests({ organizationId }, { limit: 10 })
      const stored = new Set(data.map(({ userId }) => userId))
      expect(stored.size).toBe(4)
      expect(stored).toContain('zero')
      expect(stored).toContain('half \ufffd')
      expect(data[0]?.waterfall).toEqual({ bad: ' \\u0000 \ufffd' })
      expect(await counts(organizationId)).toEqual({ rows: 4, hourly: 4, daily: 4 })
    })

    it('write() makes end users appear in their table', async () => {
      const organizationId = org('users')
      const ids = ['b', 'a', 'quo"ted', 'b']
      await store().write(
        ids.map((userId, n) => ledgerRow({ id: `${organizationId}-${n}`, organizationId, userId })),
      )
      const { rows } = await database().query('SELECT id FROM users WHERE organization_id = $1 ORDER BY id', [
        organizationId,
      ])
      expect(rows).toEqual([{ id: 'a' }, { id: 'b' }, { id: 'quo"ted' }])
    })

    it('write() takes a batch larger than any buffer it starts with', async () => {
      const organizationId = org('large')
      const waterfall = { text: 'é'.repeat(20_000) }
      const rows = Array.from({ length: 50 }, (_, n) =>
        ledgerRow({ id: `${organizationId}-${n}`, organizationId, waterfall }),
      )
      await store().write(rows)
      expect((await store().findRequest(`req-${organizationId}-7`))[0]?.waterfall).toEqual(waterfall)
      expect(await counts(organizationId)).toEqual({ rows: 50, hourly: 50, daily: 50 })
    })

    it('listRequests() pages through final rows, newest first', async () => {
      const organizationId = org('list')
      const at = (minute: number) => new Date(Date.UTC(2026, 4, 1, 0, minute))
      // Pairs share a moment, so a page may end between two of them.
      const rows = Array.from({ length: 10 }, (_, n) =>
        ledgerRow({ id: `${organizationId}-${n}`, organizationId, createdAt: at(n >> 1), final: n !== 4 }),
      )
      await store().write(rows)
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await store().listRequests({ organizationId }, { limit: 3, cursor })
        seen.push(...page.data.map(({ id }) => id))
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      expect(seen).toEqual([9, 8, 7, 6, 5, 3, 2, 1, 0].map((n) => `${organizationId}-${n}`))
    })

    it('listRequests() fits every filter', async () => {
      const organizationId = org('filter')
      const wanted = ledgerRow({
        id: `${organizationId}-yes`,
        organizationId,
        keyId: 'k',
        userId: 'u',
        sessionId: 's',
        provider: 'p',
        model: 'm',
        operation: 'embedding',
        status: 429,
        errorCode: 'budget_exhausted',
      })
      await store().write([wanted, ledgerRow({ id: `${organizationId}-no`, organizationId })])
      const filter = {
        keyId: 'k',
        userId: 'u',
        sessionId: 's',
        provider: 'p',
        model: 'm',
        operation: 'embedding',
        status: 429,
        errorCode: 'budget_exhausted',
        from: wanted.createdAt,
        to: new Date(wanted.createdAt.getTime() + 1),
      }
      for (const [name, value] of Object.entries(filter)) {
        if (name === 'from' || name === 'to') continue
        const { data } = await store().listRequests({ organizationId, [name]: value }, { limit: 10 })
        expect(data, name).toEqual([wanted])
      }
      expect((await store().listRequests({ organizationId, ...filter }, { limit: 10 })).data).toEqual([
        wanted,
      ])
      const before = await store().listRequests({ organizationId, to: wanted.createdAt }, { limit: 10 })
      expect(before.data).toEqual([])
    })

    it('findRequest() finds all attempts of a call, in order and in any month', async () => {
      const requestId = org('find')
      const rows = [3, 1, 2].map((attempt) =>
        ledgerRow({
          id: `${requestId}-${attempt}`,
          requestId,
          attempt,
          final: attempt === 3,
          createdAt: new Date(Date.UTC(2020 + attempt, 0, 1)),
        }),
      )
      await store().write(rows)
      expect((await store().findRequest(requestId)).map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      expect(await store().findRequest(`${requestId}-2`)).toHaveLength(3)
      expect(await store().findRequest('never')).toEqual([])
    })
  })

  describe('LedgerStore', () => {
    it('write() of nothing does nothing', async () => {
      await expect(createLedgerStore(database()).write([])).resolves.toBeUndefined()
    })

    it('ensurePartitions() gives each coming month its own, and takes over rows that came before it', async () => {
      const store = createLedgerStore(database())
      const early = ledgerRow({
        id: 'l-early',
        organizationId: 'l-part',
        createdAt: new Date('2031-06-15T00:00:00Z'),
      })
      await store.write([early])
      const partitionOf = async (id: string) => {
        const { rows } = await database().query<{ name: string }>(
          'SELECT tableoid::regclass::text AS name FROM ledger WHERE id = $1',
          [id],
        )
        return rows[0]?.name
      }
      expect(await partitionOf('l-early')).toBe('ledger_default')
      await Promise.all([
        store.ensurePartitions(new Date('2031-05-31T23:59:59.999Z')),
        store.ensurePartitions(new Date('2031-05-31T23:59:59.999Z')),
      ])
      expect(await partitionOf('l-early')).toBe('ledger_2031_06')
      const edges = [
        ['l-last', '2031-06-30T23:59:59.999Z', 'ledger_2031_06'],
        ['l-first', '2031-07-01T00:00:00.000Z', 'ledger_2031_07'],
        ['l-ahead', '2031-08-31T23:59:59.999Z', 'ledger_2031_08'],
        ['l-beyond', '2031-09-01T00:00:00.000Z', 'ledger_default'],
      ] as const
      for (const [id, at, partition] of edges) {
        await store.write([ledgerRow({ id, organizationId: 'l-part', createdAt: new Date(at) })])
        expect(await partitionOf(id), id).toBe(partition)
      }
      await store.write([early])
      await store.ensurePartitions(new Date('2031-05-31T23:59:59.999Z'))
      expect((await store.listRequests({ organizationId: 'l-part' }, { limit: 10 })).data).toHaveLength(5)
    })

    it('ai_usage_metrics shows exact dollars and all attributes', async () => {
      await createLedgerStore(database()).write([
        { ...FULL_ROW, id: 'l-metrics', organizationId: 'l-metrics', tokensInput: 12 },
      ])
      const { rows } = await database().query(
        `SELECT * FROM ai_usage_metrics WHERE organization_id = 'l-metrics'`,
      )
      expect(rows).toEqual([
        {
          id: 'l-metrics',
          organization_id: 'l-metrics',
          provider: 'anthropic',
          model: 'claude-sonnet-4-5',
          operation: 'chat',
          tokens_input: 12,
          tokens_output: 0,
          tokens_total: 12,
          estimated_cost: '123.456789012',
          request_id: 'l-request',
          user_id: FULL_ROW.userId,
          session_id: 'session',
          latency_ms: 1234,
          metadata: expect.objectContaining({ deal: 'D-17', task: 'analysis', attempt: 2, estimated: true }),
          created_at: FULL_ROW.createdAt,
        },
      ])
    })

    it('ai_usage_daily shows sums, and percentiles that were never averaged', async () => {
      const organizationId = 'l-daily'
      const store = createLedgerStore(database())
      const latencies = Array.from({ length: 200 }, (_, n) => (n < 190 ? 120 : 9000))
      const rows = latencies.map((latencyMs, n) =>
        ledgerRow({
          id: `${organizationId}-${n}`,
          organizationId,
          // Two groups of the roll-up, which the view joins.
          keyId: `key-${n % 2}`,
          latencyMs,
          createdAt: new Date(Date.UTC(2026, 6, 7, n % 24, 59)),
        }),
      )
      for (let n = 0; n < rows.length; n += 50) await store.write(rows.slice(n, n + 50))
      const { rows: daily } = await database().query(
        `SELECT * FROM ai_usage_daily WHERE organization_id = $1`,
        [organizationId],
      )
      expect(daily).toEqual([
        {
          organization_id: organizationId,
          provider: 'openai',
          model: 'gpt-4o',
          usage_date: '2026-07-07',
          request_count: 200,
          total_tokens_input: 40_000,
          total_tokens_output: 10_000,
          total_tokens: 50_000,
          total_cost: '0.200000000',
          avg_latency_ms: '564.000',
          p95_latency_ms: '150.000',
        },
      ])
    })

    it('gatehouse_latency_percentile() says the same as latencyPercentile()', async () => {
      const histograms = [
        Array.from({ length: 30 }, () => 0),
        Array.from({ length: 30 }, (_, n) => n),
        Array.from({ length: 30 }, (_, n) => (n === 29 ? 5 : 0)),
        Array.from({ length: 30 }, (_, n) => (n === 0 ? 1 : 0)),
      ]
      for (const histogram of histograms) {
        for (const share of [0, 0.5, 0.95, 0.99, 1]) {
          const { rows } = await database().query<{ value: number | null }>(
            'SELECT gatehouse_latency_percentile($1::int8[], $2) AS value',
            [histogram, share],
          )
          expect(rows[0]?.value ?? undefined).toEqual(latencyPercentile(histogram, share))
        }
      }
    })
  })
}
