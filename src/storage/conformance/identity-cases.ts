import { describe, expect, it } from 'vitest'
import type { ApiKey } from '../../identity/ports.ts'
import type { Database } from '../database.ts'
import { createIdentityStore } from '../identity-store.ts'

const HOUR_MS = 3_600_000

function keyRow(id: string, organizationId: string): Omit<ApiKey, 'createdAt' | 'revokedAt'> {
  return {
    id,
    organizationId,
    teamId: null,
    name: 'Key',
    hash: `hash-${id}`,
    prefix: 'gh-aB3x…',
    user: 'someone',
    models: ['gpt-*', 'with "quotes", and {braces}'],
    scopes: ['chat'],
    ipAllow: ['10.0.0.0/8'],
    expiresAt: new Date('2030-01-02T03:04:05.678Z'),
  }
}

/** @returns a promise of the first call that satisfies the test, and the function to hand over */
function until<Value>(isIt: (value: Value) => boolean) {
  let resolve: (value: Value) => void = () => {}
  const seen = new Promise<Value>((done) => {
    resolve = done
  })
  return { seen, call: (value: Value) => isIt(value) && resolve(value) }
}

export function testIdentityStore(database: () => Database): void {
  const store = () => createIdentityStore(database())
  const organization = async (id: string) => {
    await store().createOrganization({ id, name: `Name of ${id}`, slug: `slug-of-${id}` })
    return id
  }

  describe('IdentityStore', () => {
    it('findOrganization() finds by id and by slug', async () => {
      const created = await store().createOrganization({ id: 'i-1', name: 'One', slug: 'one' })
      expect(created).toEqual({ id: 'i-1', name: 'One', slug: 'one', createdAt: expect.any(Date) })
      expect(await store().findOrganization('i-1')).toEqual(created)
      expect(await store().findOrganization('one')).toEqual(created)
      expect(await store().findOrganization('two')).toBeUndefined()
    })

    it('createOrganization() and updateOrganization() refuse a slug that is taken', async () => {
      await organization('i-2')
      await organization('i-3')
      const again = store().createOrganization({ id: 'i-2b', name: 'x', slug: 'slug-of-i-2' })
      await expect(again).rejects.toMatchObject({ code: 'conflict', param: 'slug' })
      const change = store().updateOrganization('i-3', { slug: 'slug-of-i-2' })
      await expect(change).rejects.toMatchObject({ code: 'conflict', param: 'slug' })
      const renamed = await store().updateOrganization('i-3', { name: 'New' })
      expect(renamed).toMatchObject({ name: 'New', slug: 'slug-of-i-3' })
      expect(await store().updateOrganization('none', { name: 'New' })).toBeUndefined()
    })

    it('deleteOrganization() revokes its keys and frees its slug', async () => {
      await organization('i-4')
      await store().createTeam({ id: 'i-4-team', organizationId: 'i-4', name: 'Team' })
      await store().createKey(keyRow('i-4-key', 'i-4'))
      expect(await store().deleteOrganization('i-4')).toBe(true)
      expect(await store().deleteOrganization('i-4')).toBe(false)
      expect(await store().findOrganization('i-4')).toBeUndefined()
      expect(await store().findTeam('i-4', 'i-4-team')).toBeUndefined()
      expect((await store().findKey('i-4-key'))?.revokedAt).toBeInstanceOf(Date)
      await store().createOrganization({ id: 'i-4b', name: 'x', slug: 'slug-of-i-4' })
      const late = store().createKey(keyRow('i-4-late', 'i-4'))
      await expect(late).rejects.toMatchObject({ code: 'not_found' })
    })

    it('listOrganizations() pages through all of them once', async () => {
      for (let n = 0; n < 7; n++) await organization(`i-5-${n}`)
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await store().listOrganizations({ limit: 3, cursor })
        seen.push(...page.data.map(({ id }) => id))
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      expect(seen.filter((id) => id.startsWith('i-5-'))).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `i-5-${n}`))
      expect(new Set(seen).size).toBe(seen.length)
      const unreadable = store().listOrganizations({ limit: 3, cursor: 'bogus' })
      await expect(unreadable).rejects.toMatchObject({ code: 'invalid_request', param: 'cursor' })
    })

    it('teams live inside of their organization', async () => {
      await organization('i-6')
      await organization('i-7')
      const team = await store().createTeam({ id: 'i-6-t', organizationId: 'i-6', name: 'Team' })
      expect(team).toEqual({ id: 'i-6-t', organizationId: 'i-6', name: 'Team', createdAt: expect.any(Date) })
      expect(await store().findTeam('i-7', 'i-6-t')).toBeUndefined()
      const twin = store().createTeam({ id: 'i-6-u', organizationId: 'i-6', name: 'Team' })
      await expect(twin).rejects.toMatchObject({ code: 'conflict', param: 'name' })
      await store().createTeam({ id: 'i-7-t', organizationId: 'i-7', name: 'Team' })
      const lost = store().createTeam({ id: 'i-8-t', organizationId: 'nowhere', name: 'Team' })
      await expect(lost).rejects.toMatchObject({ code: 'not_found' })
      const foreign = store().createKey({ ...keyRow('i-6-foreign', 'i-6'), teamId: 'i-7-t' })
      await expect(foreign).rejects.toMatchObject({ code: 'not_found' })
      expect(await store().updateTeam('i-6', 'i-6-t', { name: 'Crew' })).toMatchObject({ name: 'Crew' })
      expect((await store().listTeams('i-6', { limit: 10 })).data).toHaveLength(1)
    })

    it('deleteTeam() leaves its keys to the organization', async () => {
      await organization('i-9')
      await store().createTeam({ id: 'i-9-t', organizationId: 'i-9', name: 'Team' })
      await store().createKey({ ...keyRow('i-9-k', 'i-9'), teamId: 'i-9-t' })
      expect(await store().deleteTeam('i-9', 'i-9-t')).toBe(true)
      expect(await store().findKey('i-9-k')).toMatchObject({ teamId: null, revokedAt: null })
      expect(await store().deleteTeam('i-9', 'i-9-t')).toBe(false)
    })

    it('createKey() gives back what was put in', async () => {
      await organization('i-10')
      const row = keyRow('i-10-k', 'i-10')
      const created = await store().createKey(row)
      expect(created).toEqual({ ...row, revokedAt: null, createdAt: expect.any(Date) })
      expect(await store().findKey('i-10-k')).toEqual(created)
      const open = await store().createKey({
        ...keyRow('i-10-l', 'i-10'),
        models: null,
        ipAllow: null,
        user: null,
      })
      expect(open).toMatchObject({ models: null, ipAllow: null, user: null })
      const twin = store().createKey({ ...row, id: 'i-10-m' })
      await expect(twin).rejects.toMatchObject({ code: 'conflict', param: 'key' })
      expect((await store().listKeys('i-10', { limit: 1 })).nextCursor).not.toBeNull()
    })

    it('revokeKey() keeps the earlier of two moments', async () => {
      await organization('i-11')
      await store().createKey(keyRow('i-11-k', 'i-11'))
      const early = new Date('2026-01-01T00:00:00Z')
      const late = new Date('2026-06-01T00:00:00Z')
      expect((await store().revokeKey('i-11-k', late))?.revokedAt).toEqual(late)
      expect((await store().revokeKey('i-11-k', early))?.revokedAt).toEqual(early)
      expect((await store().revokeKey('i-11-k', late))?.revokedAt).toEqual(early)
      expect(await store().revokeKey('none', late)).toBeUndefined()
    })

    it('loadKeys() leaves out what was revoked more than a day ago', async () => {
      await organization('i-12')
      for (const [id, hoursAgo] of [
        ['old', 25],
        ['recent', 23],
        ['future', -5],
      ] as const) {
        await store().createKey(keyRow(`i-12-${id}`, 'i-12'))
        await store().revokeKey(`i-12-${id}`, new Date(Date.now() - hoursAgo * HOUR_MS))
      }
      const loaded: string[] = []
      await store().loadKeys((keys) => loaded.push(...keys.map(({ id }) => id)))
      const ours = loaded.filter((id) => id.startsWith('i-12-'))
      expect(ours).toEqual(['i-12-future', 'i-12-recent'])
    })

    it('watchKeys() sees a change by the store and one made by hand', async () => {
      await organization('i-13')
      const created = until<ApiKey>(({ id, revokedAt }) => id === 'i-13-k' && revokedAt === null)
      const revoked = until<ApiKey>(({ id, revokedAt }) => id === 'i-13-k' && revokedAt !== null)
      const stop = await store().watchKeys({
        onKey: (key) => {
          created.call(key)
          revoked.call(key)
        },
        onReload: () => {},
      })
      await store().createKey(keyRow('i-13-k', 'i-13'))
      expect(await created.seen).toMatchObject({ hash: 'hash-i-13-k' })
      await database().query(`UPDATE api_keys SET revoked_at = now() WHERE organization_id = 'i-13'`)
      await revoked.seen
      await stop()
    })

    it('watchKeys() asks for all keys again when one is removed by hand', async () => {
      await organization('i-14')
      await store().createKey(keyRow('i-14-k', 'i-14'))
      const reloaded = until<boolean>(() => true)
      const stop = await store().watchKeys({ onKey: () => {}, onReload: () => reloaded.call(true) })
      await database().query(`DELETE FROM api_keys WHERE id = 'i-14-k'`)
      await reloaded.seen
      await stop()
    })

    it('getSetting() returns what putSetting() last stored', async () => {
      expect(await store().getSetting('nothing')).toBeUndefined()
      for (const value of [{ deep: [1, 'two', null] }, ['list'], 'text', 4, null]) {
        await store().putSetting('some', value)
        expect(await store().getSetting('some')).toEqual(value)
      }
    })
  })
}
