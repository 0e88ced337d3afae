import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { AlertEvent } from '../alerts/ports.ts'
import { createAlertStore } from './alert-store.ts'
import type { Database } from './database.ts'
import { createLeaseStore } from './lease-store.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { openDatabase } from './open-database.ts'
import { createSpendStore } from './spend-store.ts'

const AT = new Date('2026-11-20T10:00:00.000Z')
const later = (ms: number) => new Date(AT.getTime() + ms)
const CLAIM_MS = 60_000

function event(given: Partial<AlertEvent> = {}): AlertEvent {
  return {
    kind: 'budget_threshold',
    severity: 'medium',
    organizationId: 'a',
    dedupeKey: 'key',
    title: 'A title',
    detail: { usedUsd: '1' },
    ...given,
  }
}

function describeAlerts(name: string, open: () => Promise<{ database: Database; remove(): Promise<void> }>) {
  describe(name, () => {
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
    beforeEach(async () => {
      await database().query('DELETE FROM alerts')
      await database().query('DELETE FROM leases')
    })
    const claim = (at = AT, without: string[] = [], max = 10) =>
      createAlertStore(database()).claimDeliveries(at, CLAIM_MS, without, max)

    describe('createAlertStore()', () => {
      it('raise() is won by exactly one of those who raise the same at once', async () => {
        const store = createAlertStore(database())
        const raised = await Promise.all(
          Array.from({ length: 20 }, (_, n) => store.raise(`alert-${n}`, event(), AT, ['log', 'hook'])),
        )
        const won = raised.filter((alert) => alert !== undefined)
        expect(won).toHaveLength(1)
        expect(won[0]).toMatchObject({
          ...event(),
          status: 'active',
          raisedAt: AT,
          acknowledgedAt: null,
          resolvedAt: null,
          notes: [],
        })
        expect((await store.list({}, { limit: 10 })).data).toEqual(won)
        expect((await store.deliveries(won[0]?.id ?? '')).map(({ channel }) => channel)).toEqual([
          'hook',
          'log',
        ])
      })

      it('raise() keeps any text', async () => {
        const title = 'zero \0 and half \ud800 of a pair'
        const raised = await createAlertStore(database()).raise(
          'id',
          event({ title, detail: { title } }),
          AT,
          [],
        )
        expect(raised?.title).toBe('zero  and half \ufffd of a pair')
        expect(raised?.detail).toEqual({ title: 'zero  and half \ufffd of a pair' })
      })

      it('list() filters, newest first and page by page', async () => {
        const store = createAlertStore(database())
        for (let n = 0; n < 5; n++) {
          const organizationId = n % 2 === 0 ? 'a' : null
          const severity = n < 2 ? 'high' : 'low'
          const one = event({ dedupeKey: `${n}`, organizationId, severity, kind: `kind-${n}` })
          await store.raise(`${n}`, one, later(n), [])
        }
        const idsOf = async (filter: Parameters<typeof store.list>[0]) =>
          (await store.list(filter, { limit: 10 })).data.map(({ id }) => id)
        expect(await idsOf({})).toEqual(['4', '3', '2', '1', '0'])
        expect(await idsOf({ organizationId: 'a' })).toEqual(['4', '2', '0'])
        expect(await idsOf({ severity: 'high', organizationId: 'a' })).toEqual(['0'])
        expect(await idsOf({ kind: 'kind-3' })).toEqual(['3'])
        await store.resolve('3', { at: AT, by: 'me' }, [])
        expect(await idsOf({ status: 'resolved' })).toEqual(['3'])
        expect((await store.listOpen('kind-3', 10)).length).toBe(0)
        expect((await store.listOpen('kind-4', 10)).map(({ id }) => id)).toEqual(['4'])

        const first = await store.list({}, { limit: 2 })
        const second = await store.list({}, { limit: 2, cursor: first.nextCursor ?? '' })
        const third = await store.list({}, { limit: 2, cursor: second.nextCursor ?? '' })
        expect([first, second, third].flatMap(({ data }) => data.map(({ id }) => id))).toEqual([
          '4',
          '3',
          '2',
          '1',
          '0',
        ])
        expect(third.nextCursor).toBeNull()
      })

      it('acknowledge() keeps the first who did, and every note', async () => {
        const store = createAlertStore(database())
        await store.raise('id', event(), AT, [])
        await store.acknowledge('id', { at: later(1), by: 'first', note: 'one' })
        const twice = await store.acknowledge('id', { at: later(2), by: 'second', note: 'two' })
        expect(twice).toMatchObject({
          status: 'acknowledged',
          acknowledgedAt: later(1),
          acknowledgedBy: 'first',
          notes: [
            { at: later(1).toISOString(), by: 'first', text: 'one' },
            { at: later(2).toISOString(), by: 'second', text: 'two' },
          ],
        })
        await store.resolve('id', { at: later(3), by: 'third' }, [])
        expect(await store.acknowledge('id', { at: later(4), by: 'x' })).toMatchObject({
          status: 'resolved',
          acknowledgedBy: 'first',
        })
        expect(await store.acknowledge('none', { at: AT, by: 'x' })).toBeUndefined()
      })

      it('resolve() resolves once, and tells those who were told', async () => {
        const store = createAlertStore(database())
        await store.raise('id', event(), AT, ['log', 'hook'])
        expect(
          await store.resolve('id', { at: later(1), by: 'first' }, ['log', 'hook', 'new']),
        ).toMatchObject({
          status: 'resolved',
          resolvedAt: later(1),
          resolvedBy: 'first',
        })
        expect(await store.resolve('id', { at: later(2), by: 'second' }, ['log'])).toMatchObject({
          resolvedBy: 'first',
        })
        expect(await store.resolve('none', { at: AT, by: 'x' }, [])).toBeUndefined()
        expect((await store.deliveries('id')).map(({ moment, channel }) => `${moment} ${channel}`)).toEqual([
          'raised hook',
          'raised log',
          'resolved hook',
          'resolved log',
        ])
      })

      it('resolveEnded() ends what is over by itself and nothing else', async () => {
        const store = createAlertStore(database())
        await store.raise('over', event({ dedupeKey: '1', endsAt: later(10) }), AT, ['log'])
        await store.raise('later', event({ dedupeKey: '2', endsAt: later(11) }), AT, ['log'])
        await store.raise('never', event({ dedupeKey: '3' }), AT, ['log'])
        expect(await store.resolveEnded({ at: later(10), by: 'rules' }, ['log'], 10)).toBe(1)
        expect((await store.list({ status: 'resolved' }, { limit: 10 })).data.map(({ id }) => id)).toEqual([
          'over',
        ])
        expect(await store.resolveEnded({ at: later(10), by: 'rules' }, ['log'], 10)).toBe(0)
      })

      it('claimDeliveries() hands each to one asker, and to another when nothing was reported', async () => {
        const store = createAlertStore(database())
        for (let n = 0; n < 8; n++)
          await store.raise(`${n}`, event({ dedupeKey: `${n}` }), AT, ['log', 'hook'])
        const claimed = (await Promise.all([claim(), claim(), claim(), claim()])).flat()
        expect(new Set(claimed.map(({ alert, channel }) => `${alert.id} ${channel}`)).size).toBe(
          claimed.length,
        )
        expect([...claimed, ...(await claim(AT, [], 20))]).toHaveLength(16)
        expect(claimed.every(({ attempts }) => attempts === 1)).toBe(true)
        expect(await claim(later(CLAIM_MS - 1))).toEqual([])
        const again = await claim(later(CLAIM_MS), ['log'], 20)
        expect(again).toHaveLength(8)
        expect(again.every(({ attempts, channel }) => attempts === 2 && channel === 'hook')).toBe(true)
      })

      it('claimDeliveries() tells the end of something after its beginning', async () => {
        const store = createAlertStore(database())
        await store.raise('id', event(), AT, ['hook'])
        await store.resolve('id', { at: AT, by: 'me' }, ['hook'])
        const name = { alertId: 'id', moment: 'raised', channel: 'hook' } as const
        expect((await claim()).map(({ moment }) => moment)).toEqual(['raised'])
        expect(await claim()).toEqual([])
        await store.markFailed(name, 'status 500', later(1))
        expect((await claim(later(1))).map(({ moment }) => moment)).toEqual(['raised'])
        await store.markDelivered(name, later(2))
        expect((await claim(later(2))).map(({ moment }) => moment)).toEqual(['resolved'])
        expect((await store.deliveries('id'))[0]).toMatchObject({
          attempts: 2,
          deliveredAt: later(2),
          nextAttemptAt: null,
          lastError: null,
        })
      })

      it('markFailed() without a next time gives up', async () => {
        const store = createAlertStore(database())
        await store.raise('id', event(), AT, ['hook'])
        await claim()
        await store.markFailed({ alertId: 'id', moment: 'raised', channel: 'hook' }, 'status 500', null)
        expect(await claim(later(CLAIM_MS * 10))).toEqual([])
        expect((await store.deliveries('id'))[0]).toMatchObject({
          deliveredAt: null,
          lastError: 'status 500',
        })
      })

      it('forget() removes what was resolved long ago', async () => {
        const store = createAlertStore(database())
        await store.raise('old', event({ dedupeKey: '1' }), AT, ['log'])
        await store.raise('open', event({ dedupeKey: '2' }), AT, ['log'])
        await store.resolve('old', { at: later(1), by: 'me' }, ['log'])
        await store.forget(later(1))
        expect(await store.find('old')).toBeDefined()
        await store.forget(later(2))
        expect(await store.find('old')).toBeUndefined()
        expect(await store.deliveries('old')).toEqual([])
        expect(await store.find('open')).toBeDefined()
      })

      it('keeps alerts of one organization from another, and those of the house from all', async () => {
        const store = createAlertStore(database())
        await store.raise('of-a', event({ dedupeKey: '1', organizationId: 'a' }), AT, ['log'])
        await store.raise('of-b', event({ dedupeKey: '2', organizationId: 'b' }), AT, ['log'])
        await store.raise('of-all', event({ dedupeKey: '3', organizationId: null }), AT, ['log'])
        const seen = await database().asOrganization('a', async (session) => ({
          alerts: (await session.query('SELECT id FROM alerts')).rows,
          deliveries: (await session.query('SELECT alert_id FROM alert_deliveries')).rows,
        }))
        expect(seen).toEqual({ alerts: [{ id: 'of-a' }], deliveries: [{ alert_id: 'of-a' }] })
      })
    })

    describe('createLeaseStore()', () => {
      it('take() has one winner, who keeps it until it ends or is released', async () => {
        const leases = createLeaseStore(database())
        const holders = Array.from({ length: 10 }, (_, n) => `holder-${n}`)
        const won = await Promise.all(holders.map((holder) => leases.take('rules', holder, 60_000)))
        expect(won.filter(Boolean)).toHaveLength(1)
        const holder = `holder-${won.indexOf(true)}`
        expect(await leases.take('rules', holder, 60_000)).toBe(true)
        expect(await leases.take('rules', 'other', 60_000)).toBe(false)
        expect(await leases.take('something else', 'other', 60_000)).toBe(true)
        await leases.release('rules', 'other')
        expect(await leases.take('rules', 'other', 60_000)).toBe(false)
        await database().query(`UPDATE leases SET until = clock_timestamp() - interval '1 second'`)
        expect(await leases.take('rules', 'other', 60_000)).toBe(true)
        await leases.release('rules', 'other')
        expect(await leases.take('rules', holder, 60_000)).toBe(true)
      })
    })

    describe('createSpendStore()', () => {
      const HOUR_MS = 3_600_000
      const WEEK_MS = 168 * HOUR_MS
      const NANO = 1_000_000_000
      const hour = new Date('2026-10-15T09:00:00.000Z')

      beforeAll(async () => {
        const row = (organizationId: string, ms: number, costNanoUsd: number) =>
          ledgerRow({
            id: `${organizationId}-${ms}`,
            organizationId,
            costNanoUsd,
            createdAt: new Date(hour.getTime() + ms),
          })
        await createLedgerStore(database()).write([
          row('steady', 0, 5 * NANO),
          row('steady', 1, 5 * NANO),
          row('steady', -WEEK_MS, 2 * NANO),
          row('steady', -3 * WEEK_MS, 3 * NANO),
          row('steady', -3 * WEEK_MS - HOUR_MS, 50 * NANO),
          row('young', 1000, 4 * NANO),
          row('young', -24 * HOUR_MS, NANO),
          row('small', 1000, NANO - 1),
        ])
      }, 60_000)

      it('hoursOfWeek() tells an hour without calls from one before there was anybody', async () => {
        const hours = await createSpendStore(database()).hoursOfWeek(hour, 8, NANO, 10)
        expect(hours).toEqual([
          { organizationId: 'steady', costNanoUsd: 10 * NANO, earlierNanoUsd: [2 * NANO, 0, 3 * NANO] },
          { organizationId: 'young', costNanoUsd: 4 * NANO, earlierNanoUsd: [] },
        ])
      })

      it('spentBetween() adds up everything in between', async () => {
        const store = createSpendStore(database())
        const from = new Date(hour.getTime() - 30 * 60_000)
        expect(await store.spentBetween(from, new Date(hour.getTime() + HOUR_MS))).toBe(15 * NANO - 1)
        expect(await store.spentBetween(new Date(hour.getTime() + 1), new Date(hour.getTime() + 2))).toBe(
          5 * NANO,
        )
        expect(await store.spentBetween(new Date(0), new Date(1))).toBe(0)
      })

      it('spenders() names each once, page by page', async () => {
        const store = createSpendStore(database())
        expect(await store.spenders('hour', hour, '', 2)).toEqual([
          { organizationId: 'small', costNanoUsd: NANO - 1 },
          { organizationId: 'steady', costNanoUsd: 10 * NANO },
        ])
        expect(await store.spenders('hour', hour, 'steady', 2)).toEqual([
          { organizationId: 'young', costNanoUsd: 4 * NANO },
        ])
        const days = await store.spenders('day', new Date('2026-10-14T00:00:00.000Z'), '', 10)
        expect(days.map(({ costNanoUsd }) => costNanoUsd)).toEqual([NANO - 1, 10 * NANO, 5 * NANO])
      })

      it('organizationName() knows names', async () => {
        const store = createSpendStore(database())
        await database().query(
          `INSERT INTO organizations (id, name, slug) VALUES ('acme', 'Acme Ltd', 'acme')`,
        )
        expect(await store.organizationName('acme')).toBe('Acme Ltd')
        expect(await store.organizationName('nobody')).toBeUndefined()
      })
    })
  })
}

describeAlerts('the embedded database', async () => {
  const { folder, remove } = await createDataDirectory()
  return { database: await openDatabase({ dataDir: folder }), remove: async () => remove() }
})

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(NO_POSTGRES, () => {})
  })
} else {
  describeAlerts('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: () => postgres.drop(),
  }))
}
