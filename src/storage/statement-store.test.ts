import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { LedgerRow } from '../ledger/ports.ts'
import { usdToNano } from '../ledger/statements/amounts.ts'
import { parseMonth } from '../ledger/statements/month.ts'
import { BREAKDOWNS, type Breakdown } from '../ledger/statements/ports.ts'
import type { Statement, StatementLine } from '../ledger/statements/statement.ts'
import { createStatements, type Statements } from '../ledger/statements/statements.ts'
import type { Database } from './database.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { openDatabase } from './open-database.ts'
import { createStatementStore } from './statement-store.ts'

const NOW = Date.UTC(2026, 5, 15)

function toStatements(database: Database, now = NOW): Statements {
  return createStatements({
    store: createStatementStore(database),
    now: () => now,
    flush: () => Promise.resolve(),
  })
}

async function addOrganization(database: Database, id: string, name = `Organization ${id}`): Promise<void> {
  await database.query(
    `INSERT INTO organizations (id, name, slug, created_at) VALUES ($1, $2, $1, '2020-01-01') ON CONFLICT DO NOTHING`,
    [id, name],
  )
}

async function read(statements: Statements, month: string, organizationId: string): Promise<Statement> {
  return JSON.parse(await statements.json(month, organizationId)) as Statement
}

async function textOf(parts: Promise<AsyncIterable<string>>): Promise<string> {
  let text = ''
  for await (const part of await parts) text += part
  return text
}

const nanoOf = (lines: readonly Pick<StatementLine, 'costUsd'>[]) =>
  lines.reduce((sum, { costUsd }) => sum + usdToNano(costUsd), 0n)

const maybe = (...values: string[]) => fc.constantFrom(null, ...values)
const count = fc.option(fc.integer({ min: 0, max: 1_000_000 }))
const day = (text: string) => Date.parse(`${text}T00:00:00.000Z`)

const anyRow = fc.record({
  final: fc.boolean(),
  teamId: maybe('', 't1', 't2'),
  keyId: maybe('', 'k1', 'k2'),
  userId: maybe('u1', '=HYPERLINK("x")'),
  tags: fc.constantFrom<Record<string, string>>(
    {},
    { deal: 'D-1' },
    { deal: '', cycle: '3' },
    { other: 'x' },
  ),
  provider: maybe('openai', 'anthropic'),
  model: maybe('', 'm1', 'm2'),
  operation: fc.constantFrom('chat', 'embedding'),
  task: maybe('code'),
  status: fc.constantFrom(200, 503),
  tokensInput: count,
  tokensOutput: count,
  tokensCached: count,
  // Up to a million dollars a row, so that sums leave what a double holds exactly.
  costNanoUsd: fc.oneof(
    fc.integer({ min: 0, max: 5_000 }),
    fc.integer({ min: 0, max: 1_000_000_000_000_000 }),
  ),
  estimated: fc.boolean(),
  createdAt: fc
    .tuple(fc.integer({ min: -30, max: 60 }), fc.constantFrom(-1, 0, 1, 43_200_000))
    .map(([days, offset]) => new Date(day('2026-02-01') + days * 86_400_000 + offset)),
})

function groupOf(row: LedgerRow, breakdown: Breakdown): string | null {
  const model = [row.provider, row.model].filter((part) => part !== null).join('/')
  const values: Record<Breakdown, string | null> = {
    team: row.teamId,
    key: row.keyId,
    user: row.userId,
    model: model === '' ? null : model,
    operation: row.operation,
    task: row.task,
    deal: row.tags.deal ?? null,
    cycle: row.tags.cycle ?? null,
    day: row.createdAt.toISOString().slice(0, 10),
  }
  return values[breakdown]
}

function sumByHand(rows: readonly LedgerRow[], breakdown: Breakdown): Map<string | null, bigint> {
  const sums = new Map<string | null, bigint>()
  for (const row of rows) {
    const value = groupOf(row, breakdown)
    sums.set(value, (sums.get(value) ?? 0n) + BigInt(row.costNanoUsd))
  }
  return sums
}

function describeStatements(
  name: string,
  open: () => Promise<{ database: Database; remove(): Promise<void> }>,
) {
  describe(`createStatementStore() on ${name}`, () => {
    let target: { database: Database; remove(): Promise<void> } | undefined
    const database = () => {
      if (target === undefined) throw new Error('The database is not open.')
      return target.database
    }
    beforeAll(async () => {
      target = await open()
    }, 60_000)
    afterAll(async () => {
      await target?.database.close()
      await target?.remove()
    })

    it('book() gives lines of each breakdown that add up to the total, whatever the ledger holds', async () => {
      const ledger = createLedgerStore(database())
      const statements = toStatements(database())
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(anyRow, { minLength: 0, maxLength: 40 }), async (values) => {
          run++
          const organizationId = `p-${run}`
          await addOrganization(database(), organizationId)
          const rows = values.map((value, n) =>
            ledgerRow({ ...value, id: `${organizationId}-${n}`, organizationId }),
          )
          await ledger.write(rows)
          const own = rows.filter(({ createdAt }) => createdAt.toISOString().startsWith('2026-02'))
          const statement = await read(statements, '2026-02', organizationId)
          const total = own.reduce((sum, row) => sum + BigInt(row.costNanoUsd), 0n)
          expect(usdToNano(statement.totals.costUsd)).toBe(total)
          expect(statement.totals.requests).toBe(own.filter(({ final }) => final).length)
          expect(statement.totals.estimated).toBe(own.filter(({ estimated }) => estimated).length)
          for (const breakdown of BREAKDOWNS) {
            const lines = statement.breakdowns[breakdown]
            expect(nanoOf(lines)).toBe(total)
            expect(lines.reduce((sum, line) => sum + line.requests, 0)).toBe(statement.totals.requests)
            expect(lines.reduce((sum, line) => sum + line.tokensInput, 0)).toBe(statement.totals.tokensInput)
            if (breakdown === 'model') continue
            expect(new Map(lines.map(({ id, costUsd }) => [id, usdToNano(costUsd)]))).toEqual(
              sumByHand(own, breakdown),
            )
          }
          const focus = (await textOf(statements.focus('2026-02', organizationId, '1.2')))
            .split('\r\n')
            .slice(1, -1)
          expect(focus.reduce((sum, line) => sum + usdToNano(line.split(',')[0] ?? '0'), 0n)).toBe(total)
        }),
        { numRuns: 25 },
      )
    }, 60_000)

    it('book() joins the lines that cost least, and still adds up', async () => {
      await createLedgerStore(database()).write(
        [5, 1, 9, 3, 7].map((cost, n) =>
          ledgerRow({
            id: `fold-${n}`,
            organizationId: 'fold',
            userId: `user-${n}`,
            costNanoUsd: cost,
            createdAt: new Date(Date.UTC(2026, 1, 3)),
          }),
        ),
      )
      const { lines } = await createStatementStore(database()).book('fold', parseMonth('2026-02'), 2)
      const users = lines.filter(({ breakdown }) => breakdown === 'user')
      expect(users.map(({ values, others, sums }) => [values[0], others, sums.costNanoUsd])).toEqual([
        ['user-2', 0, 9n],
        ['user-4', 0, 7n],
        [null, 3, 9n],
      ])
    })

    it('listBilled() pages through organizations of the directory, of the ledger and of adjustments', async () => {
      const store = createStatementStore(database())
      const month = parseMonth('2015-02')
      await createLedgerStore(database()).write(
        ['list-5', 'list-1', 'list-3', 'list-3'].map((organizationId, n) =>
          ledgerRow({ id: `list-${n}`, organizationId, createdAt: new Date(Date.UTC(2015, 1, 1 + n)) }),
        ),
      )
      await database().query(
        `INSERT INTO organizations (id, name, slug, created_at) VALUES ('list-2', 'Two', 'list-2', '2015-01-20')`,
      )
      await database().query(
        `INSERT INTO ledger_adjustments VALUES ('list-0', '2015-01-05T00:00:00Z', 'list-4', '2015-02-01')`,
      )
      const found: string[] = []
      for (let after: string | undefined; ; ) {
        const page = await store.listBilled(month, after, 2)
        found.push(...page.map(({ id }) => id))
        after = page.at(-1)?.id
        if (page.length < 2) break
      }
      expect(found).toEqual(['list-1', 'list-2', 'list-3', 'list-4', 'list-5'])
    })

    it('keeps organizations apart', async () => {
      const at = new Date(Date.UTC(2026, 1, 20))
      await addOrganization(database(), 'apart-a')
      await addOrganization(database(), 'apart-b')
      await createLedgerStore(database()).write([
        ledgerRow({ id: 'apart-1', organizationId: 'apart-a', costNanoUsd: 1, createdAt: at }),
        ledgerRow({ id: 'apart-2', organizationId: 'apart-b', costNanoUsd: 20, createdAt: at }),
      ])
      const statements = toStatements(database())
      expect((await read(statements, '2026-02', 'apart-a')).totals.costNanoUsd).toBe(1)
      expect((await read(statements, '2026-02', 'apart-b')).totals.costNanoUsd).toBe(20)
    })

    describe('a closed month', () => {
      const at = (text: string) => new Date(`${text}T12:00:00.000Z`)
      const write = (id: string, organizationId: string, createdAt: Date, costNanoUsd: number) =>
        createLedgerStore(database()).write([ledgerRow({ id, organizationId, createdAt, costNanoUsd })])

      it('close() keeps bytes that nothing changes: no late row, no new name, no UPDATE', async () => {
        await addOrganization(database(), 'closed-1', 'Before')
        await database().query(
          `INSERT INTO teams (id, organization_id, name) VALUES ('closed-team', 'closed-1', 'Team one')`,
        )
        await createLedgerStore(database()).write([
          ledgerRow({
            id: 'closed-1-a',
            organizationId: 'closed-1',
            teamId: 'closed-team',
            costNanoUsd: 1_234_567_891,
            createdAt: at('2025-01-31'),
          }),
        ])
        const statements = toStatements(database())
        const closing = await statements.close('2025-01')
        expect(closing).toMatchObject({ alreadyClosed: false, status: 'closed', month: '2025-01' })
        const files = async () => ({
          json: await statements.json('2025-01', 'closed-1'),
          csv: await textOf(statements.csv('2025-01', 'closed-1')),
          focus: await textOf(statements.focus('2025-01', 'closed-1', '1.3')),
          pdf: Buffer.from(await statements.pdf('2025-01', 'closed-1')).toString('base64'),
        })
        const before = await files()
        expect(JSON.parse(before.json)).toMatchObject({
          status: 'closed',
          totals: { costUsd: '1.234567891' },
          breakdowns: { team: [{ id: 'closed-team', name: 'Team one' }] },
          watermark: { rows: 1, newestRowId: 'closed-1-a' },
        })
        await write('closed-1-late', 'closed-1', at('2025-01-15'), 77)
        await database().query(`UPDATE organizations SET name = 'After' WHERE id = 'closed-1'`)
        await database().query(`UPDATE teams SET name = 'Renamed' WHERE id = 'closed-team'`)
        expect(await files()).toEqual(before)
        await expect(database().query(`UPDATE statements SET document = '{}'`)).rejects.toThrow(
          /does not change/,
        )
        await expect(database().query('DELETE FROM statements')).rejects.toThrow(/does not change/)
        await expect(database().query('DELETE FROM statement_charges')).rejects.toThrow(/does not change/)
        expect(await statements.close('2025-01')).toEqual({ ...closing, alreadyClosed: true })
        expect(await files()).toEqual(before)
        expect(await statements.replay('2025-01', 'closed-1')).toMatchObject({ equal: true, statements: 1 })
      })

      it('close() books what comes later in the next open month, and says so', async () => {
        await addOrganization(database(), 'late-1')
        const statements = toStatements(database())
        await write('late-a', 'late-1', at('2024-03-10'), 100)
        await statements.close('2024-03')
        await statements.close('2024-04')
        await write('late-b', 'late-1', at('2024-03-11'), 7)
        await write('late-c', 'late-1', at('2024-05-02'), 1000)
        expect((await read(statements, '2024-03', 'late-1')).totals.costNanoUsd).toBe(100)
        expect((await read(statements, '2024-04', 'late-1')).totals.costNanoUsd).toBe(0)
        const may = await read(statements, '2024-05', 'late-1')
        expect(may).toMatchObject({
          totals: { costNanoUsd: 1007, adjustmentUsd: '0.000000007' },
          adjustments: [{ month: '2024-03', costNanoUsd: 7, requests: 1 }],
        })
        expect(may.breakdowns.day.map(({ id, costNanoUsd }) => [id, costNanoUsd])).toEqual([
          ['2024-03-11', 7],
          ['2024-05-02', 1000],
        ])
        const focus = await textOf(statements.focus('2024-05', 'late-1', '1.2'))
        expect(focus).toMatch(/^0\.000000007,.*,Correction,.*2024-03-12T00:00:00Z,2024-03-11T00:00:00Z,/m)
        await statements.close('2024-05')
        expect(await statements.replay('2024-05', 'late-1')).toMatchObject({ equal: true })
        expect(await statements.replay('2024-03', 'late-1')).toMatchObject({ equal: true })
        // The same row again is no row.
        await write('late-b', 'late-1', at('2024-03-11'), 7)
        expect((await read(statements, '2024-06', 'late-1')).totals.costNanoUsd).toBe(0)
      })

      it('close() books late rows of months without a partition as well', async () => {
        await addOrganization(database(), 'old-1')
        const statements = toStatements(database())
        await write('old-a', 'old-1', at('2019-06-10'), 5)
        await statements.close('2019-06')
        await write('old-b', 'old-1', at('2019-06-11'), 6)
        expect((await read(statements, '2019-06', 'old-1')).totals.costNanoUsd).toBe(5)
        expect((await read(statements, '2019-07', 'old-1')).totals.costNanoUsd).toBe(6)
        await database().query('DROP TABLE ledger_2019_06')
        await write('old-c', 'old-1', at('2019-06-12'), 8)
        expect((await read(statements, '2019-07', 'old-1')).totals.costNanoUsd).toBe(8)
      })

      it('close() goes on where it was broken off', async () => {
        await addOrganization(database(), 'broken-1')
        await write('broken-a', 'broken-1', at('2023-02-10'), 11)
        const store = createStatementStore(database())
        const failing = createStatements({
          store: { ...store, keep: () => Promise.reject(new Error('gone')) },
          now: () => NOW,
          flush: () => Promise.resolve(),
        })
        await expect(failing.close('2023-02')).rejects.toThrow('gone')
        await write('broken-b', 'broken-1', at('2023-02-11'), 13)
        const statements = toStatements(database(), NOW + 60_000)
        expect(await read(statements, '2023-02', 'broken-1')).toMatchObject({
          status: 'closing',
          totals: { costNanoUsd: 11 },
        })
        expect(await statements.close('2023-02')).toMatchObject({
          alreadyClosed: false,
          closedAt: new Date(NOW).toISOString(),
        })
        expect((await read(statements, '2023-02', 'broken-1')).totals.costNanoUsd).toBe(11)
        expect((await read(statements, '2023-03', 'broken-1')).totals.costNanoUsd).toBe(13)
      })

      it('replay() finds what somebody changed in the ledger by hand, to the nano-dollar', async () => {
        await addOrganization(database(), 'replay-1')
        await write('replay-a', 'replay-1', at('2022-02-10'), 1_000_000_000)
        await write('replay-b', 'replay-1', at('2022-02-11'), 5)
        const statements = toStatements(database())
        await statements.close('2022-02')
        expect(await statements.replay('2022-02', undefined)).toMatchObject({ equal: true, different: [] })
        await database().query(`UPDATE ledger SET cost_nano_usd = cost_nano_usd + 1 WHERE id = 'replay-a'`)
        const replay = await statements.replay('2022-02', undefined)
        expect(replay).toMatchObject({ equal: false, differentCount: 1 })
        expect(replay.different[0]?.differences).toContainEqual({
          breakdown: 'total',
          id: null,
          field: 'costUsd',
          closed: '1.000000005',
          ledger: '1.000000006',
          differenceUsd: '0.000000001',
        })
        // Two rows that change places in the total are seen by the digest of rows.
        await database().query(
          `UPDATE ledger SET cost_nano_usd = CASE id WHEN 'replay-a' THEN 5 ELSE 1000000000 END WHERE organization_id = 'replay-1'`,
        )
        const swapped = await statements.replay('2022-02', 'replay-1')
        expect(swapped.equal).toBe(false)
        expect(swapped.different[0]?.differences.map(({ breakdown }) => breakdown)).toContain('watermark')
        await database().query(`DELETE FROM ledger WHERE id = 'replay-b'`)
        expect(await statements.replay('2022-02', 'replay-1')).toMatchObject({ equal: false })
      })

      it.each(['2026-06', '2026-07', '2030-01'])('close() refuses %s, which is not over', async (month) => {
        await expect(toStatements(database()).close(month)).rejects.toMatchObject({ code: 'invalid_request' })
        await expect(toStatements(database()).replay(month, undefined)).rejects.toMatchObject({
          code: 'conflict',
        })
      })

      it('close() loses no row and books none twice while others write', async () => {
        const organizationId = 'race-1'
        await addOrganization(database(), organizationId)
        const months = ['2021-02', '2021-03', '2021-04']
        const ledger = createLedgerStore(database())
        const statements = toStatements(database())
        let total = 0n
        const writing = Array.from({ length: 40 }, async (_, n) => {
          const rows = months.map((month, m) => {
            const costNanoUsd = 10 ** m * (n + 1)
            total += BigInt(costNanoUsd)
            return ledgerRow({
              id: `race-${n}-${m}`,
              organizationId,
              createdAt: new Date(`${month}-0${1 + (n % 9)}T00:00:00.000Z`),
              costNanoUsd,
            })
          })
          await ledger.write(rows)
        })
        const closing = months.map((month) => statements.close(month))
        await Promise.all([...writing, ...closing])
        const all = [...months, '2021-05']
        let booked = 0n
        for (const month of all) {
          const { totals } = await read(statements, month, organizationId)
          booked += usdToNano(totals.costUsd)
        }
        expect(booked).toBe(total)
        for (const month of months) {
          expect(await statements.replay(month, organizationId)).toMatchObject({ equal: true })
        }
      }, 60_000)

      it('shows an organization nothing of another, whatever the statement says', async () => {
        await addOrganization(database(), 'scope-1')
        await addOrganization(database(), 'scope-2')
        await write('scope-a', 'scope-1', at('2017-02-10'), 3)
        await toStatements(database()).close('2017-02')
        await write('scope-b', 'scope-1', at('2017-02-11'), 3)
        const seen = (organizationId: string) =>
          database().asOrganization(organizationId, async (session) => {
            const counts: number[] = []
            for (const table of ['statements', 'statement_charges', 'ledger_adjustments']) {
              const { rows } = await session.query(`SELECT 1 FROM ${table} WHERE organization_id = 'scope-1'`)
              counts.push(rows.length)
            }
            return counts
          })
        expect(await seen('scope-1')).toEqual([1, 1, 1])
        expect(await seen('scope-2')).toEqual([0, 0, 0])
      })

      it('close() called twice at once makes one set of statements', async () => {
        await addOrganization(database(), 'twice-1')
        await write('twice-a', 'twice-1', at('2018-02-10'), 3)
        const [first, second] = await Promise.all([
          toStatements(database()).close('2018-02'),
          toStatements(database(), NOW + 5).close('2018-02'),
        ])
        expect(first.checksum).toBe(second.checksum)
        expect(first.closedAt).toBe(second.closedAt)
      })
    })
  })
}

describeStatements('the embedded database', async () => {
  const { folder, remove } = await createDataDirectory()
  return { database: await openDatabase({ dataDir: folder }), remove: async () => remove() }
})

/** Resolves once a statement of this database waits for a lock. */
async function untilWaiting(database: Database): Promise<void> {
  for (;;) {
    const { rows } = await database.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    if (rows.length > 0) return
  }
}

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createStatementStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describeStatements('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))

  describe('gatehouse_freeze_month()', () => {
    const insert = (id: string, createdAt: string) =>
      `INSERT INTO ledger (id, request_id, attempt, final, organization_id, tags, operation, format, stream, status,
         cost_nano_usd, estimated, cache, latency_ms, overhead_ms, created_at)
       VALUES ('${id}', 'r', 1, true, 'freeze', '{}', 'chat', 'chat', false, 200, 10, false, 'miss', 1, 1, '${createdAt}')`

    it('gatehouse_freeze_month() waits for rows that are being written, its own and those put off', async () => {
      const { url, drop } = (await createDatabase()) ?? { url: '', drop: () => Promise.resolve() }
      const database = await openDatabase({ url })
      try {
        await addOrganization(database, 'freeze')
        const statements = toStatements(database)
        await statements.close('2016-01')
        // A writer of the month itself, then one whose row is put off into the month that closes.
        for (const [month, row] of [
          ['2016-02', insert('own', '2016-02-10T00:00:00Z')],
          ['2016-03', insert('late', '2016-02-11T00:00:00Z')],
        ] as const) {
          let closing: Promise<unknown> | undefined
          await database.transaction(async (transaction) => {
            await transaction.query(row)
            closing = statements.close(month)
            await untilWaiting(database)
          })
          await closing
          expect(await read(statements, month, 'freeze')).toMatchObject({
            status: 'closed',
            totals: { costNanoUsd: 10 },
          })
        }
      } finally {
        await database.close()
        await drop()
      }
    })
  })
}
