import { describe, expect, it } from 'vitest'
import { administer } from '../../test/support/postgres-template.ts'
import { createDatabase, NO_POSTGRES } from '../../test/support/services.ts'
import type { ApiKey } from '../identity/ports.ts'
import type { Database } from './database.ts'
import { createIdentityStore } from './identity-store.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { migrate, rollback } from './migrate.ts'
import { openDatabase } from './open-database.ts'

const target = await createDatabase()

/** Runs a test on an opened database. */
async function using(url: string, work: (database: Database) => Promise<void>): Promise<void> {
  const database = await openDatabase({ url })
  try {
    await work(database)
  } finally {
    await database.close()
  }
}

describe.skipIf(target === undefined)(`PostgreSQL${target === undefined ? `: ${NO_POSTGRES}` : ''}`, () => {
  const url = target?.url ?? ''
  const endAll = (application: string) =>
    administer(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = '${application}' AND datname = current_database()`,
    )

  it('watchKeys() asks for all keys again after a lost connection, and then hears as before', () =>
    using(url, async (database) => {
      const store = createIdentityStore(database)
      await store.createOrganization({ id: 'w', name: 'w', slug: 'w' })
      let reloaded = () => {}
      const reload = new Promise<void>((resolve) => {
        reloaded = resolve
      })
      let heard: (key: ApiKey) => void = () => {}
      const key = new Promise<ApiKey>((resolve) => {
        heard = resolve
      })
      const stop = await store.watchKeys({ onKey: (row) => heard(row), onReload: reloaded })
      await endAll('gatehouse-notifications')
      await reload
      await store.createKey({
        id: 'w-key',
        organizationId: 'w',
        teamId: null,
        name: 'Key',
        hash: 'w-hash',
        prefix: 'gh-',
        user: null,
        models: null,
        scopes: [],
        ipAllow: null,
        expiresAt: null,
      })
      expect(await key).toMatchObject({ id: 'w-key' })
      await stop()
    }))

  it('query() goes on after the server ended its connections', () =>
    using(url, async (database) => {
      await database.query('SELECT 1')
      const underWay = database.query('SELECT pg_sleep(20)')
      const failed = expect(underWay).rejects.toMatchObject({ code: 'storage_unavailable' })
      await endAll('gatehouse')
      await failed
      expect((await database.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }])
    }))

  it('query() that takes too long is storage_unavailable', () =>
    using(url, async (database) => {
      const attempt = database.transaction(async (transaction) => {
        await transaction.query('SET LOCAL statement_timeout = 20')
        await transaction.query('SELECT pg_sleep(20)')
      })
      await expect(attempt).rejects.toMatchObject({
        code: 'storage_unavailable',
        detail: { sqlState: '57014' },
      })
    }))

  it('transaction() ends well where two of them lock each other out', () =>
    using(url, async (database) => {
      await database.query(`INSERT INTO settings (name, value) VALUES ('a', '0'), ('b', '0')`)
      const add = (name: string) =>
        `UPDATE settings SET value = to_jsonb(value::text::int + 1) WHERE name = '${name}'`
      let meet = () => {}
      const both = new Promise<void>((resolve) => {
        let waiting = 2
        meet = () => {
          waiting--
          if (waiting === 0) resolve()
        }
      })
      const crossing = (first: string, second: string) =>
        database.transaction(async (transaction) => {
          await transaction.query(add(first))
          meet()
          await both
          await transaction.query(add(second))
        })
      await Promise.all([crossing('a', 'b'), crossing('b', 'a')])
      const { rows } = await database.query(`SELECT value FROM settings WHERE name IN ('a', 'b')`)
      expect(rows).toEqual([{ value: 2 }, { value: 2 }])
    }))

  it('openDatabase() says at once that nobody answers', async () => {
    const attempt = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none' })
    await expect(attempt).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  it('openDatabase() refuses a URL of another kind', async () => {
    await expect(openDatabase({ url: 'mysql://x' })).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('everything works, and tenants stay apart, for a user who owns the tables and may nothing else', async () => {
    const owned = await createDatabase()
    if (owned === undefined) throw new Error(NO_POSTGRES)
    await using(owned.url, async (database) => {
      await rollback(database, { to: 0 })
    })
    const role = `plain_${process.pid}`
    await administer(
      owned.url,
      `CREATE ROLE ${role} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO ${role};
      GRANT ALL ON schema_migrations TO ${role}`,
    )
    const plain = new URL(owned.url)
    plain.username = role
    await using(plain.href, async (database) => {
      await migrate(database)
      const store = createLedgerStore(database)
      await store.ensurePartitions(new Date('2026-11-20T00:00:00Z'))
      for (const organizationId of ['pa', 'pb']) {
        await createIdentityStore(database).createOrganization({
          id: organizationId,
          name: 'x',
          slug: organizationId,
        })
        await store.write([ledgerRow({ id: organizationId, organizationId, userId: 'u' })])
        await store.write([ledgerRow({ id: organizationId, organizationId, userId: 'u' })])
      }
      const { rows } = await database.query('SELECT count(*) AS count FROM ledger')
      expect(rows).toEqual([{ count: 2 }])
      for (const table of ['ledger', 'usage_daily', 'ai_usage_daily', 'users']) {
        const scoped = await database.asOrganization('pa', (transaction) =>
          transaction.query(`SELECT DISTINCT organization_id FROM ${table}`),
        )
        expect(scoped.rows, table).toEqual([{ organization_id: 'pa' }])
      }
    })
    await owned.drop()
    await administer(url, `DROP ROLE ${role}`)
  })
})
