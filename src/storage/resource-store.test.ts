import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { Resource } from '../resources/ports.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { createResourceStore } from './resource-store.ts'

const NOON = Date.parse('2026-11-20T12:00:00Z')
const at = (ms: number) => new Date(NOON + ms)

function batch(id: string, change: Partial<Resource> = {}): Resource {
  return {
    id,
    provider: 'openai',
    kind: 'batch',
    organizationId: 'a',
    teamId: 'T1',
    keyId: 'K1',
    userId: 'jane',
    sessionId: 's',
    task: 'code',
    tags: { deal: 'D-17' },
    requestId: 'req_1',
    createdAt: at(0),
    settledAt: null,
    heldNanoUsd: 9_007_199_254_740_991,
    lookAt: at(300_000),
    ...change,
  }
}

function describeResources(name: string, open: () => Promise<{ database: Database; remove(): unknown }>) {
  describe(name, () => {
    let target: { database: Database; remove(): unknown } | undefined
    const database = () => {
      if (target === undefined) throw new Error('The database is not open.')
      return target.database
    }
    const store = () => createResourceStore(database())
    const ids = (resources: readonly Resource[]) => resources.map(({ id }) => id)
    beforeAll(async () => {
      target = await open()
      await database().query(
        `INSERT INTO organizations (id, name, slug) VALUES ('a', 'a', 'a'), ('b', 'b', 'b')`,
      )
    }, 60_000)
    afterAll(async () => {
      await target?.database.close()
      await target?.remove()
    })
    beforeEach(() => database().query('DELETE FROM provider_resources'))

    it('add() keeps everything, to the nano-dollar, and the first owner', async () => {
      await store().add(batch('b1'))
      await store().add(batch('b1', { organizationId: 'b' }))
      expect(await store().find('a', 'batch', 'b1')).toEqual(batch('b1'))
      expect(await store().find('b', 'batch', 'b1')).toBeUndefined()
      const file = batch('f1', { kind: 'file', heldNanoUsd: null, lookAt: null })
      await store().add(file)
      expect(await store().find('a', 'file', 'f1')).toEqual(file)
    })

    it('listOpen() has what one organization has to book, the oldest first', async () => {
      await store().add(batch('late', { createdAt: at(2) }))
      await store().add(batch('early', { createdAt: at(1) }))
      await store().add(batch('done'))
      await store().markSettled(batch('done'), at(5))
      await store().add(batch('theirs', { organizationId: 'b' }))
      await store().add(batch('file', { kind: 'file' }))
      expect(ids(await store().listOpen('a', 10))).toEqual(['early', 'late'])
      expect(ids(await store().listOpen('a', 1))).toEqual(['early'])
    })

    it('claimDue() hands each batch that is due to one, those first that wait longest, and again later', async () => {
      for (let index = 0; index < 6; index++) await store().add(batch(`b${index}`, { lookAt: at(-index) }))
      await store().add(batch('b0', { provider: 'groq', lookAt: at(1) }))
      await store().add(batch('done', { lookAt: at(-9) }))
      await store().markSettled(batch('done'), at(0))
      const first = await store().claimDue(at(0), at(600_000), 2)
      expect(ids(first).sort()).toEqual(['b4', 'b5'])
      expect(first[0]?.lookAt).toEqual(at(600_000))
      const rest = await Promise.all([1, 2, 3].map(() => store().claimDue(at(0), at(600_000), 2)))
      expect(rest.flatMap(ids).sort()).toEqual(['b0', 'b1', 'b2', 'b3'])
      expect(await store().claimDue(at(0), at(600_000), 9)).toEqual([])
      expect(await store().claimDue(at(600_000), at(700_000), 9)).toHaveLength(7)
    })

    it('claimDue() finds a batch also that an older replica wrote down', async () => {
      await database().query(
        `INSERT INTO provider_resources (provider, kind, id, organization_id, tags, request_id)
         VALUES ('openai', 'batch', 'old', 'a', '{}', 'r')`,
      )
      expect(ids(await store().claimDue(new Date(Date.now() + 600_000), at(0), 9))).toEqual(['old'])
    })
  })
}

describeResources('resources in the embedded database', async () => {
  const data = await createDataDirectory()
  return { database: await openDatabase({ dataDir: data.folder }), remove: () => data.remove() }
})

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(NO_POSTGRES, () => {})
  })
} else {
  describeResources('resources in PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: () => postgres.drop(),
  }))
}
