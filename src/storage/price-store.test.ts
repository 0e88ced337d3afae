import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { PriceChange, PriceOverride } from '../ledger/price-desk/ports.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { createPriceStore } from './price-store.ts'

const postgres = await createDatabase()

if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createPriceStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describePrices('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
describePrices('embedded database', async () => {
  const { folder, remove } = await createDataDirectory()
  return { database: await openDatabase({ dataDir: folder }), remove: async () => remove() }
})

interface Opened {
  readonly database: Database
  remove(): Promise<void>
}

function describePrices(name: string, open: () => Promise<Opened>): void {
  describe(`createPriceStore() in ${name}`, () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
      for (const id of ['one', 'two', 'three', 'heard', 'pages', 'same'])
        await opened.database.query('INSERT INTO organizations (id, name, slug) VALUES ($1, $1, $1)', [id])
    }, 60_000)
    afterAll(async () => {
      await opened.database.close()
      await opened.remove()
    })
    const store = () => createPriceStore(opened.database)
    const day = (number: number) => new Date(Date.UTC(2026, 10, number))
    const PRICE = { inputPerMillionUsd: 2.5, outputPerMillionUsd: 0.000001 }

    function add(
      id: string,
      organizationId: string,
      target: string,
      validFrom: Date,
      price: object | null = PRICE,
    ) {
      return store().addOverride({ id, organizationId, target, price, validFrom })
    }

    async function load(organizationId: string | undefined, since: Date): Promise<PriceOverride[]> {
      const rows: PriceOverride[] = []
      await store().loadOverrides(organizationId, since, (page) => rows.push(...page))
      return rows
    }

    it('addOverride() keeps every part of a price to the last digit', async () => {
      const price = {
        inputPerMillionUsd: 0.0375,
        outputPerMillionUsd: 1_000_000,
        cachedInputPerMillionUsd: 0,
        cacheWritePerMillionUsd: 3.75,
        reasoningPerMillionUsd: 0.1,
        perRequestUsd: 0.012,
        perImageUsd: 0.04,
        perMillionCharactersUsd: 15,
        perMinuteUsd: 0.006,
        perSearchUsd: 0.002,
      }
      const added = await add('a1', 'one', 'p/m', day(1), price)
      expect(added).toMatchObject({
        id: 'a1',
        organizationId: 'one',
        target: 'p/m',
        price,
        validFrom: day(1),
      })
      expect(await store().listOverrides('one', undefined, 10)).toEqual([added])
    })

    it('loadOverrides() leaves out what was replaced before, and keeps what comes', async () => {
      await add('b1', 'two', 'p/m', day(1))
      await add('b2', 'two', 'p/m', day(5))
      await add('b3', 'two', 'p/m', day(9), null)
      await add('b4', 'two', 'p/m', day(20))
      await add('b5', 'two', 'q/*', day(1))
      await add('c1', 'three', 'p/m', day(1))
      const idsAt = async (since: Date) => (await load('two', since)).map(({ id }) => id)
      expect(await idsAt(day(1))).toEqual(['b1', 'b2', 'b3', 'b4', 'b5'])
      expect(await idsAt(day(5))).toEqual(['b2', 'b3', 'b4', 'b5'])
      expect(await idsAt(day(19))).toEqual(['b3', 'b4', 'b5'])
      expect(await idsAt(day(20))).toEqual(['b4', 'b5'])
      const all = await load(undefined, day(25))
      expect(all.map(({ id }) => id)).toEqual(['a1', 'c1', 'b4', 'b5'])
      expect((await load('two', day(19)))[0]).toMatchObject({ price: null })
      expect((await store().listOverrides('two', 'p/m', 2)).map(({ id }) => id)).toEqual(['b4', 'b3'])
    })

    it('takes the later of two prices that begin at once', async () => {
      for (const id of ['z', 'a', 'm']) await add(`same-${id}`, 'same', 'p/m', day(1))
      expect((await load('same', day(1))).map(({ id }) => id)).toEqual(['same-m'])
      expect((await load('same', day(0))).map(({ id }) => id)).toEqual(['same-z', 'same-a', 'same-m'])
      expect((await store().listOverrides('same', undefined, 10))[0]?.id).toBe('same-m')
    })

    it('loadOverrides() reads page by page', async () => {
      await opened.database.query(
        `INSERT INTO price_overrides (id, organization_id, target, per_image_usd, valid_from)
         SELECT 'x' || n, 'pages', 'p/m' || n % 7, 1, '2026-11-01'::timestamptz + n * interval '1 ms'
         FROM generate_series(1, 6000) AS n`,
      )
      const rows = await load('pages', day(1))
      expect(rows).toHaveLength(6000)
      expect(new Set(rows.map(({ id }) => id)).size).toBe(6000)
    })

    it('refuses to change what was, and what is no price', async () => {
      const { database } = opened
      await expect(database.query(`UPDATE price_overrides SET input_per_million_usd = 1`)).rejects.toThrow(
        'does not change',
      )
      await expect(database.query(`DELETE FROM price_overrides WHERE id = 'a1'`)).rejects.toThrow(
        'does not change',
      )
      const values: readonly (readonly [string, object | null])[] = [
        ['p/m', { inputPerMillionUsd: -1, outputPerMillionUsd: 1 }],
        ['p/m', { inputPerMillionUsd: 0.0000001, outputPerMillionUsd: 1 }],
        ['p/m', { inputPerMillionUsd: 1 }],
        ['p/m', {}],
        ['m', PRICE],
        ['p/', PRICE],
        ['p/m*x', PRICE],
        ['p/a b', PRICE],
      ]
      for (const [target, price] of values)
        await expect(
          add(`no-${target}`, 'one', target, day(1), price),
          JSON.stringify(price),
        ).rejects.toThrow()
      await expect(add('no', 'nobody', 'p/m', day(1))).rejects.toThrow()
    })

    it('asOrganization() sees the prices of that organization alone', async () => {
      const { rows } = await opened.database.asOrganization('three', (session) =>
        session.query<{ id: string }>('SELECT id FROM price_overrides'),
      )
      expect(rows).toEqual([{ id: 'c1' }])
    })

    it('addData() keeps the same data once, and every moment it began', async () => {
      const first = '[{"id":"é"}]'
      const second = '[]'
      const entryOf = (data: string | null, at: Date) => ({
        checksum: data === null ? null : createHash('sha256').update(data).digest('hex'),
        source: 'a test',
        data,
        validFrom: at,
      })
      for (const entry of [
        entryOf(first, day(1)),
        entryOf(second, day(2)),
        entryOf(null, day(3)),
        entryOf(first, day(4)),
      ])
        await store().addData(entry)
      const loaded = async (since: Date, rowsMax = 10) =>
        (await store().loadData(since, rowsMax)).map(({ data, validFrom }) => [data, validFrom.getUTCDate()])
      expect(await loaded(day(2))).toEqual([
        [second, 2],
        [null, 3],
        [first, 4],
      ])
      expect(await loaded(day(30))).toEqual([[first, 4]])
      expect(await loaded(new Date(0), 2)).toEqual([
        [null, 3],
        [first, 4],
      ])
      expect((await store().listData(10)).map(({ validFrom }) => validFrom.getUTCDate())).toEqual([
        4, 3, 2, 1,
      ])
      const { rows } = await opened.database.query('SELECT FROM price_data WHERE data IS NOT NULL')
      expect(rows).toHaveLength(2)
      await expect(store().addData({ ...entryOf('{}', day(5)), data: '[1]' })).rejects.toThrow()
      await expect(opened.database.query('DELETE FROM price_data')).rejects.toThrow('does not change')
    })

    it('watch() hears of every addition, by hand too, and of nothing once it is stopped', async () => {
      const changes: PriceChange[] = []
      const stop = await store().watch((change) => changes.push(change))
      await opened.database.query(
        `INSERT INTO price_overrides (organization_id, target, input_per_million_usd, output_per_million_usd)
         VALUES ('heard', 'p/m', 1, 2)`,
      )
      await opened.database.query(`INSERT INTO price_data (source) VALUES ('by hand')`)
      await vi.waitFor(() => expect(changes).toEqual([{ organizationId: 'heard' }, 'data']))
      const [row] = await load('heard', new Date())
      expect(row?.validFrom.getTime()).toBeLessThanOrEqual(Date.now() + 1000)
      await opened.database.query('TRUNCATE price_overrides')
      await vi.waitFor(() => expect(changes).toHaveLength(3))
      expect(changes[2]).toBe('all')
      await stop()
      await opened.database.query(`INSERT INTO price_data (source) VALUES ('again')`)
      expect(changes).toHaveLength(3)
    })
  })
}
