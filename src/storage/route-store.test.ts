import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { createRouteStore } from './route-store.ts'

const postgres = await createDatabase()

if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createRouteStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describeRoutes('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
describeRoutes('embedded database', async () => {
  const { folder, remove } = await createDataDirectory()
  return { database: await openDatabase({ dataDir: folder }), remove: async () => remove() }
})

interface Opened {
  readonly database: Database
  remove(): Promise<void>
}

function describeRoutes(name: string, open: () => Promise<Opened>): void {
  describe(`createRouteStore() in ${name}`, () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
      for (const id of ['one', 'two', 'many'])
        await opened.database.query('INSERT INTO organizations (id, name, slug) VALUES ($1, $1, $1)', [id])
    }, 60_000)
    afterAll(async () => {
      await opened.database.close()
      await opened.remove()
    })
    const store = () => createRouteStore(opened.database)
    const SETTINGS = { strategy: 'priority', targets: [{ provider: 'p', model: 'm/ü', weight: 0.5 }] }

    async function names(organizationId?: string): Promise<string[]> {
      const found: string[] = []
      await store().load(organizationId, (page) => {
        for (const route of page) found.push(`${route.organizationId}/${route.name}`)
      })
      return found
    }

    it('keeps a route as it was written, and replaces it', async () => {
      const { updatedAt } = await store().put('one', 'chat/fast', SETTINGS)
      const replaced = await store().put('one', 'chat/fast', { ...SETTINGS, retries: 0 })
      expect(replaced).toMatchObject({ organizationId: 'one', name: 'chat/fast' })
      expect(replaced.settings).toEqual({ ...SETTINGS, retries: 0 })
      expect(replaced.updatedAt.getTime()).toBeGreaterThanOrEqual(updatedAt.getTime())
      expect(await names()).toEqual(['one/chat/fast'])
    })

    it('reads those of one organization alone, and all page by page', async () => {
      await store().put('two', 'chat', SETTINGS)
      await opened.database.query(
        `INSERT INTO organization_routes (organization_id, name, settings)
         SELECT 'many', 'r' || n, '{}' FROM generate_series(1, 2500) AS n`,
      )
      expect(await names('two')).toEqual(['two/chat'])
      expect(await names('many')).toHaveLength(2500)
      expect(await names('nobody')).toEqual([])
      expect(new Set(await names()).size).toBe(2502)
    })

    it('knows no organization that is not there, and no route that is none', async () => {
      await expect(store().put('nobody', 'chat', SETTINGS)).rejects.toMatchObject({ code: 'not_found' })
      await expect(store().put('one', 'auto', SETTINGS)).rejects.toThrow()
      await expect(store().put('one', 'list', [])).rejects.toThrow()
      expect(await store().remove('one', 'nothing')).toBe(false)
    })

    it('asOrganization() sees the routes of that organization alone', async () => {
      const { rows } = await opened.database.asOrganization('two', (session) =>
        session.query<{ name: string }>('SELECT name FROM organization_routes'),
      )
      expect(rows).toEqual([{ name: 'chat' }])
    })

    it('watch() hears of every change, by hand too, and of nothing once it is stopped', async () => {
      const heard: (string | undefined)[] = []
      const stop = await store().watch((organizationId) => heard.push(organizationId))
      await store().put('one', 'heard', SETTINGS)
      await vi.waitFor(() => expect(heard).toEqual(['one']))
      await opened.database.query(
        `UPDATE organization_routes SET organization_id = 'two' WHERE organization_id = 'one' AND name = 'heard'`,
      )
      await vi.waitFor(() => expect(new Set(heard.slice(1))).toEqual(new Set(['one', 'two'])))
      expect(await store().remove('two', 'heard')).toBe(true)
      await vi.waitFor(() => expect(heard).toHaveLength(4))
      await opened.database.query('TRUNCATE organization_routes')
      await vi.waitFor(() => expect(heard.at(-1)).toBeUndefined())
      const before = heard.length
      await stop()
      await store().put('one', 'chat', SETTINGS)
      expect(heard).toHaveLength(before)
    })
  })
}
