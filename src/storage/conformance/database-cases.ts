import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../core/errors.ts'
import type { Database } from '../database.ts'

const FAIL_AS_CONFLICT = `DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END $$`

export function testDatabase(database: () => Database): void {
  describe('query()', () => {
    it('query() gives every type the same JavaScript value', async () => {
      const { rows } = await database().query(`SELECT
        7::int8 AS small, 9007199254740993::int8 AS large, 1.10::numeric AS decimal, 1.5::float8 AS fraction,
        '2026-02-01 03:04:05.678+02'::timestamptz AS moment, '2026-02-01'::date AS day,
        '{"a":[1,null]}'::jsonb AS document, ARRAY['x','y']::text[] AS texts, ARRAY[1,null]::int8[] AS numbers,
        true AS truth, null AS nothing`)
      expect(rows).toEqual([
        {
          small: 7,
          large: 9007199254740993n,
          decimal: '1.10',
          fraction: 1.5,
          moment: new Date('2026-02-01T01:04:05.678Z'),
          day: '2026-02-01',
          document: { a: [1, null] },
          texts: ['x', 'y'],
          numbers: [1, null],
          truth: true,
          nothing: null,
        },
      ])
    })

    it('query() binds parameters as values, never as text of the statement', async () => {
      const hostile = `'; DROP TABLE settings; --`
      const { rows } = await database().query('SELECT $1::text AS text, $2::text[] AS list', [
        hostile,
        [hostile, 'b'],
      ])
      expect(rows).toEqual([{ text: hostile, list: [hostile, 'b'] }])
    })

    it('query() days are those of UTC, whatever the server thinks', async () => {
      const { rows } = await database().query(
        `SELECT date_trunc('day', '2026-02-01T23:30Z'::timestamptz) AS day`,
      )
      expect(rows).toEqual([{ day: new Date('2026-02-01T00:00:00Z') }])
    })

    it("query() passes on the database's own error about a statement", async () => {
      await expect(database().query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' })
      await expect(database().query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] })
    })

    it('query() answers many callers at once, each with its own rows', async () => {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) => database().query<{ n: number }>('SELECT $1::int AS n', [n])),
      )
      expect(answers.map(({ rows }) => rows[0]?.n)).toEqual(Array.from({ length: 100 }, (_, n) => n))
    })
  })

  describe('transaction()', () => {
    it('transaction() leaves nothing behind when its work throws', async () => {
      const attempt = database().transaction(async (transaction) => {
        await transaction.query(`INSERT INTO settings (name, value) VALUES ('half', '1')`)
        throw new Error('enough')
      })
      await expect(attempt).rejects.toThrow('enough')
      const { rows } = await database().query(`SELECT * FROM settings WHERE name = 'half'`)
      expect(rows).toEqual([])
    })

    it('transaction() fails when an error inside was swallowed', async () => {
      const attempt = database().transaction(async (transaction) => {
        await transaction.query(`INSERT INTO settings (name, value) VALUES ('swallowed', '1')`)
        await transaction.query('SELECT 1 / 0').catch(() => {})
      })
      await expect(attempt).rejects.toThrow('could not be committed')
    })

    it('transaction() owns its connection: nobody else writes into it', async () => {
      const order: string[] = []
      let proceed = () => {}
      const gate = new Promise<void>((resolve) => {
        proceed = resolve
      })
      const first = database().transaction(async (transaction) => {
        await transaction.query(`INSERT INTO settings (name, value) VALUES ('owned', '1')`)
        await gate
        order.push('first')
        throw new Error('taken back')
      })
      const second = database().transaction(async (transaction) => {
        const { rows } = await transaction.query(`SELECT * FROM settings WHERE name = 'owned'`)
        order.push(`second saw ${rows.length}`)
      })
      if (database().kind === 'postgres') await second
      proceed()
      await expect(first).rejects.toThrow('taken back')
      await second
      expect(order).toContain('second saw 0')
    })

    it('transaction() runs again where another transaction stood in its way', async () => {
      let attempts = 0
      const result = await database().transaction(async (transaction) => {
        attempts++
        if (attempts < 3) await transaction.query(FAIL_AS_CONFLICT)
        return 'done'
      })
      expect({ result, attempts }).toEqual({ result: 'done', attempts: 3 })
    })

    it('transaction() gives up after four attempts', async () => {
      let attempts = 0
      const attempt = database().transaction(async (transaction) => {
        attempts++
        await transaction.query(FAIL_AS_CONFLICT)
      })
      await expect(attempt).rejects.toMatchObject({ code: 'storage_unavailable' })
      expect(attempts).toBe(4)
    })
  })

  describe('kysely', () => {
    it('kysely reads and writes through the same pool', async () => {
      const { kysely } = database()
      await kysely.insertInto('settings').values({ name: 'typed', value: '{"deep":true}' }).execute()
      const row = await kysely
        .selectFrom('settings')
        .selectAll()
        .where('name', '=', 'typed')
        .executeTakeFirst()
      expect(row).toMatchObject({ name: 'typed', value: { deep: true }, updated_at: expect.any(Date) })
      const failing = kysely.transaction().execute(async (transaction) => {
        await transaction.deleteFrom('settings').where('name', '=', 'typed').execute()
        throw new Error('back')
      })
      await expect(failing).rejects.toThrow('back')
      const kept = await sql<{
        count: number
      }>`SELECT count(*) AS count FROM settings WHERE name = 'typed'`.execute(kysely)
      expect(kept.rows).toEqual([{ count: 1 }])
    })
  })

  describe('listen()', () => {
    it('listen() hears what is sent to its channel until it is stopped', async () => {
      const heard: string[] = []
      let next = () => {}
      const stop = await database().listen('Some "channel"', (payload) => {
        heard.push(payload)
        next()
      })
      const arrived = new Promise<void>((resolve) => {
        next = () => heard.length === 2 && resolve()
      })
      await database().notify('Some "channel"', 'one')
      await database().notify('another', 'no')
      await database().notify('Some "channel"', 'two')
      await arrived
      await stop()
      await database().notify('Some "channel"', 'three')
      await database().query('SELECT 1')
      expect(heard).toEqual(['one', 'two'])
    })

    it('listen() hears nothing of a transaction that is taken back', async () => {
      const heard: string[] = []
      let arrived = () => {}
      const second = new Promise<void>((resolve) => {
        arrived = resolve
      })
      const stop = await database().listen('undone', (payload) => {
        heard.push(payload)
        arrived()
      })
      const attempt = database().transaction(async (transaction) => {
        await transaction.query(`SELECT pg_notify('undone', 'ghost')`)
        throw new Error('back')
      })
      await expect(attempt).rejects.toThrow('back')
      await database().notify('undone', 'real')
      await second
      await stop()
      expect(heard).toEqual(['real'])
    })
  })

  describe('health()', () => {
    it('health() resolves while the database answers', async () => {
      await expect(database().health(new AbortController().signal)).resolves.toBeUndefined()
    })

    it('health() does not wait longer than its signal', async () => {
      const attempt = database().health(AbortSignal.abort())
      await expect(attempt).rejects.toBeInstanceOf(GatewayError)
      await expect(attempt).rejects.toMatchObject({ code: 'storage_unavailable' })
    })
  })
}
