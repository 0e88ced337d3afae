import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import { NO_BUDGET, NO_LIMITS, ORGANIZATION, type Policy, type Subject } from '../limits/policy.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { createPolicyStore } from './policy-store.ts'

const KEY: Subject = { scope: 'key', id: 'k1' }
const TAG: Subject = { scope: 'tag', id: 'deal=ü"\\,{}=1' }

let organizations = 0

async function newOrganization(database: Database): Promise<string> {
  const id = `policies-${++organizations}`
  await database.query('INSERT INTO organizations (id, name, slug) VALUES ($1, $1, $1)', [id])
  return id
}

/** Remembers what it heard; `until` resolves once that fits. */
async function listen(database: Database) {
  const heard: Policy[] = []
  let reloads = 0
  let check = () => {}
  const stop = await createPolicyStore(database).watch({
    onPolicy: (policy) => {
      heard.push(policy)
      check()
    },
    onReload: () => {
      reloads++
      check()
    },
  })
  return {
    heard,
    stop,
    until: (fits: (heard: readonly Policy[], reloads: number) => boolean) =>
      new Promise<void>((resolve) => {
        check = () => {
          if (fits(heard, reloads)) resolve()
        }
        check()
      }),
  }
}

function describePolicies(name: string, open: () => Promise<{ database: Database; remove(): unknown }>) {
  describe(`createPolicyStore() on ${name}`, () => {
    let target: { database: Database; remove(): unknown } | undefined
    const database = () => {
      if (target === undefined) throw new Error('The database is not open.')
      return target.database
    }
    const store = () => createPolicyStore(database())
    beforeAll(async () => {
      target = await open()
    }, 60_000)
    afterAll(async () => {
      await target?.database.close()
      await target?.remove()
    })

    it('putLimits() begins with no limits and keeps what is left out', async () => {
      const id = await newOrganization(database())
      expect(await store().find(id, KEY)).toBeUndefined()
      expect((await store().putLimits(id, KEY, { requestsPerMinute: 60 })).limits).toEqual({
        ...NO_LIMITS,
        requestsPerMinute: 60,
      })
      const onLimit = { queueMs: 2000, queueMax: 100 }
      const changed = await store().putLimits(id, KEY, {
        tokensPerHour: Number.MAX_SAFE_INTEGER,
        onLimit,
        failClosed: true,
      })
      expect(changed).toEqual({
        organizationId: id,
        subject: KEY,
        limits: {
          ...NO_LIMITS,
          requestsPerMinute: 60,
          tokensPerHour: Number.MAX_SAFE_INTEGER,
          onLimit,
          failClosed: true,
        },
        budget: undefined,
      })
      expect(await store().find(id, KEY)).toEqual(changed)
      const without = await store().putLimits(id, KEY, { requestsPerMinute: null, onLimit: 'reject' })
      expect(without.limits).toMatchObject({ requestsPerMinute: null, onLimit: 'reject', failClosed: true })
    })

    it('putBudget() begins with the usual budget and keeps what is left out', async () => {
      const id = await newOrganization(database())
      expect((await store().putBudget(id, TAG, { limitNanoUsd: 1 })).budget).toEqual({
        ...NO_BUDGET,
        limitNanoUsd: 1,
      })
      const period = { kind: 'custom', startMs: 1_000, endMs: 100_001 } as const
      await store().putBudget(id, TAG, { period, alertAt: [1, 0.5, 1], hardLimit: false })
      expect(await store().find(id, TAG)).toEqual({
        organizationId: id,
        subject: TAG,
        limits: undefined,
        budget: { limitNanoUsd: 1, hardLimit: false, alertAt: [0.5, 1], period },
      })
      const weekly = await store().putBudget(id, TAG, { period: { kind: 'calendar', unit: 'week' } })
      expect(weekly.budget?.period).toEqual({ kind: 'calendar', unit: 'week' })
    })

    it('putLimits() knows no limits of an organization that is not there', async () => {
      await expect(store().putLimits('nobody', ORGANIZATION, {})).rejects.toMatchObject({ code: 'not_found' })
    })

    it('list() has wide scopes first, and each subject once', async () => {
      const id = await newOrganization(database())
      await store().putBudget(id, TAG, {})
      await store().putLimits(id, KEY, {})
      await store().putLimits(id, TAG, {})
      await store().putBudget(id, ORGANIZATION, {})
      await store().putLimits(await newOrganization(database()), KEY, {})
      const listed = await store().list(id)
      expect(listed.map(({ subject }) => subject)).toEqual([ORGANIZATION, KEY, TAG])
      expect(listed.at(-1)).toMatchObject({ limits: NO_LIMITS, budget: NO_BUDGET })
    })

    it('load() reads every policy once, over several pages', async () => {
      const id = await newOrganization(database())
      await database().query(
        `INSERT INTO limits (organization_id, scope, subject, requests_per_minute)
         SELECT $1, 'user', 'user-' || n, n FROM generate_series(1, 5001) AS n`,
        [id],
      )
      await database().query(
        `INSERT INTO budgets (organization_id, scope, subject, limit_nano_usd)
         SELECT $1, 'user', 'user-' || n, n FROM generate_series(3000, 8000) AS n`,
        [id],
      )
      const seen = new Map<string, Policy>()
      let pages = 0
      await store().load((policies) => {
        pages++
        for (const policy of policies) {
          if (policy.organizationId !== id) continue
          expect(seen.has(policy.subject.id)).toBe(false)
          seen.set(policy.subject.id, policy)
        }
      })
      expect(seen.size).toBe(8000)
      expect(pages).toBeGreaterThan(1)
      expect(seen.get('user-4000')).toMatchObject({
        limits: { requestsPerMinute: 4000 },
        budget: { limitNanoUsd: 4000 },
      })
      await database().query('DELETE FROM limits WHERE organization_id = $1', [id])
      await database().query('DELETE FROM budgets WHERE organization_id = $1', [id])
    })

    it('remove() takes one and leaves the other', async () => {
      const id = await newOrganization(database())
      await store().putLimits(id, KEY, {})
      await store().putBudget(id, KEY, {})
      expect(await store().remove(id, KEY, 'limits')).toBe(true)
      expect(await store().remove(id, KEY, 'limits')).toBe(false)
      expect(await store().find(id, KEY)).toMatchObject({ limits: undefined, budget: NO_BUDGET })
      expect(await store().remove(id, KEY, 'budget')).toBe(true)
      expect(await store().find(id, KEY)).toBeUndefined()
    })

    it('watch() hears changes by the store and by hand, a removal as an empty policy', async () => {
      const id = await newOrganization(database())
      const { heard, stop, until } = await listen(database())
      await store().putLimits(id, TAG, { tokensPerMinute: 5 })
      await until(() => heard.some(({ limits }) => limits?.tokensPerMinute === 5))
      await database().query('UPDATE limits SET tokens_per_minute = 7 WHERE organization_id = $1', [id])
      await until(() => heard.some(({ limits }) => limits?.tokensPerMinute === 7))
      await database().query('DELETE FROM limits WHERE organization_id = $1', [id])
      const gone: Policy = { organizationId: id, subject: TAG, limits: undefined, budget: undefined }
      await until(() => heard.at(-1)?.limits === undefined)
      expect(heard.at(-1)).toEqual(gone)
      await stop()
    })

    it('watch() reads everything again where a name is too long for a notification', async () => {
      const id = await newOrganization(database())
      const { stop, until } = await listen(database())
      // Compressed, so that the index takes it.
      const user = 'ü'.repeat(4000)
      await store().putLimits(id, { scope: 'user', id: user }, { requestsPerMinute: 1 })
      await until((_, reloads) => reloads === 1)
      await store().remove(id, { scope: 'user', id: user }, 'limits')
      await until((_, reloads) => reloads === 2)
      await stop()
    })

    it('watch() names a subject that was renamed by hand, and the one that it became', async () => {
      const id = await newOrganization(database())
      await store().putBudget(id, KEY, {})
      const { heard, stop, until } = await listen(database())
      await database().query(`UPDATE budgets SET subject = 'k2' WHERE organization_id = $1`, [id])
      await until(() => heard.length >= 2)
      expect(new Map(heard.map(({ subject, budget }) => [subject.id, budget !== undefined]))).toEqual(
        new Map([
          ['k1', false],
          ['k2', true],
        ]),
      )
      await stop()
    })

    it('the list of changes keeps an hour', async () => {
      const id = await newOrganization(database())
      await database().query(
        `INSERT INTO policy_changes SELECT clock_timestamp() - interval '2 hours', $1, 'key', 'old-' || n
         FROM generate_series(1, 4) AS n`,
        [id],
      )
      await store().putLimits(id, KEY, {})
      const { rows } = await database().query<{ subject: string }>(
        'SELECT subject FROM policy_changes WHERE organization_id = $1',
        [id],
      )
      expect(rows).toEqual([{ subject: 'k1' }])
    })

    it.each([
      ['a negative limit', `UPDATE limits SET requests_per_minute = -1`],
      ['more than counters count', `UPDATE limits SET tokens_per_hour = 9007199254740992`],
      ['half a queue', `UPDATE limits SET queue_ms = 5`],
      ['thresholds that fall', `UPDATE budgets SET alert_at = '{1,0.8}'`],
      ['thresholds in percent', `UPDATE budgets SET alert_at = '{80}'`],
      [
        'a period that ends before it starts',
        `UPDATE budgets SET period = 'custom', period_start = now(), period_end = now()`,
      ],
      ['a scope that is none', `UPDATE limits SET scope = 'department'`],
    ])('the tables refuse %s', async (_, statement) => {
      const id = await newOrganization(database())
      await store().putLimits(id, KEY, {})
      await store().putBudget(id, KEY, {})
      await expect(database().query(`${statement} WHERE organization_id = $1`, [id])).rejects.toThrow(
        /violates check constraint/,
      )
    })
  })
}

describePolicies('PGlite', async () => {
  const data = await createDataDirectory()
  return { database: await openDatabase({ dataDir: data.folder }), remove: () => data.remove() }
})

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createPolicyStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describePolicies('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
