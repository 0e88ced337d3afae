import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { BreakerRecord, ProviderBreaker } from '../routing/breakers/ports.ts'
import { createBreakerStore } from './breaker-store.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'

const postgres = await createDatabase()

if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createBreakerStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describeBreakers('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
describeBreakers('embedded database', async () => {
  const { folder, remove } = await createDataDirectory()
  return { database: await openDatabase({ dataDir: folder }), remove: async () => remove() }
})

const AT_MS = Date.UTC(2026, 10, 21, 12)

function record(provider: string, changes: Partial<BreakerRecord> = {}): BreakerRecord {
  return {
    provider,
    model: '',
    state: 'closed',
    failures: 0,
    reason: undefined,
    openedAtMs: undefined,
    untilMs: undefined,
    level: 0,
    byOperator: false,
    pausedUntilMs: undefined,
    changedAtMs: AT_MS,
    ...changes,
  }
}

function breaker(
  provider: string,
  changes: Partial<BreakerRecord> = {},
  targets: readonly BreakerRecord[] = [],
): ProviderBreaker {
  return { ...record(provider, changes), targets }
}

interface Opened {
  readonly database: Database
  remove(): Promise<void>
}

function describeBreakers(name: string, open: () => Promise<Opened>): void {
  describe(`createBreakerStore() in ${name}`, () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
    }, 60_000)
    afterAll(async () => {
      await opened.database.close()
      await opened.remove()
    })
    const store = () => createBreakerStore(opened.database)
    const query = async (sql: string, parameters: readonly unknown[] = []) =>
      (await opened.database.query(sql, parameters)).rows
    const status = (provider: string) =>
      query('SELECT * FROM circuit_breaker_status WHERE provider = $1', [provider])

    /** Follows orders for one provider, which no other test has. */
    async function watch(provider: string) {
      const orders: string[] = []
      const stop = await store().watch((whose, state) => {
        if (whose === provider) orders.push(state)
      })
      return { orders, stop }
    }

    it('write() leaves one row for each provider, its targets within', async () => {
      await store().write([
        breaker(
          'row',
          { state: 'open', failures: 5, reason: 'r', openedAtMs: AT_MS, untilMs: AT_MS + 30_000 },
          [record('row', { model: 'm', state: 'half-open', failures: 2, pausedUntilMs: AT_MS + 5 })],
        ),
        breaker('calm'),
      ])
      expect(await status('row')).toEqual([
        {
          provider: 'row',
          state: 'open',
          failure_count: 5,
          reason: 'r',
          opened_at: new Date(AT_MS),
          until: new Date(AT_MS + 30_000),
          paused_until: null,
          by_operator: false,
          targets: [
            { model: 'm', state: 'half-open', failures: 2, pausedUntil: new Date(AT_MS + 5).toISOString() },
          ],
          updated_at: expect.any(Date),
        },
      ])
      await store().write([breaker('row')])
      expect(await status('row')).toMatchObject([
        { state: 'closed', failure_count: 0, until: null, targets: [] },
      ])
      expect(
        await query(
          `SELECT provider, state, failure_count FROM circuit_breaker_status WHERE provider = 'calm'`,
        ),
      ).toEqual([{ provider: 'calm', state: 'closed', failure_count: 0 }])
    })

    it('watch() hears an UPDATE by hand, and nothing of what processes write', async () => {
      await store().write([breaker('hand', { state: 'open', failures: 5 })])
      const { orders, stop } = await watch('hand')
      await store().write([breaker('hand', { state: 'half-open', failures: 6 })])
      await query(
        `UPDATE circuit_breaker_status SET state = 'closed', failure_count = 0 WHERE provider = 'hand'`,
      )
      await vi.waitFor(() => expect(orders).toEqual(['closed']))
      expect(await status('hand')).toMatchObject([{ state: 'closed', failure_count: 0, by_operator: true }])
      await query(`UPDATE circuit_breaker_status SET state = 'open' WHERE provider = 'hand'`)
      await vi.waitFor(() => expect(orders).toEqual(['closed', 'open']))
      await stop()
    })

    it('watch() begins with what is held open, and with no other order', async () => {
      await store().order('held', 'closed', true)
      await store().order('held', 'open', true)
      const first = await watch('held')
      expect(first.orders).toEqual(['open'])
      await first.stop()
      await store().order('held', 'closed', true)
      const second = await watch('held')
      expect(second.orders).toEqual([])
      await second.stop()
    })

    it('order() is said again only where that is asked for', async () => {
      const { orders, stop } = await watch('again')
      await store().order('again', 'closed', false)
      await vi.waitFor(() => expect(orders).toEqual(['closed']))
      await store().order('again', 'closed', false)
      await store().order('again', 'closed', true)
      await vi.waitFor(() => expect(orders).toEqual(['closed', 'closed']))
      await stop()
      await store().order('again', 'open', true)
      expect(orders).toEqual(['closed', 'closed'])
    })

    it('the view refuses what is no state, and another name', async () => {
      await store().write([breaker('strict')])
      const set = (what: string) =>
        query(`UPDATE circuit_breaker_status SET ${what} WHERE provider = 'strict'`)
      await expect(set(`state = 'ajar'`)).rejects.toThrow(/check constraint/)
      await expect(set(`provider = 'other'`)).rejects.toThrow(/name of its provider/)
      expect(await status('strict')).toMatchObject([{ state: 'closed', by_operator: false }])
    })

    it('watch() asks once a second while notifications are interrupted', async () => {
      let lose = () => {}
      const database = Object.assign(Object.create(opened.database) as Database, {
        listen: async (_channel: string, _handler: unknown, _reconnect: unknown, onLost: () => void) => {
          lose = onLost
          return async () => {}
        },
      })
      const orders: string[] = []
      const stop = await createBreakerStore(database).watch((provider, state) => {
        if (provider === 'unheard') orders.push(state)
      })
      await store().order('unheard', 'open', true)
      expect(orders).toEqual([])
      lose()
      await vi.waitFor(() => expect(orders).toEqual(['open']), 5000)
      await stop()
    })
  })
}
