import { describe, expect, it, vi } from 'vitest'
import { openOrganizationRoutes } from './organization-routes.ts'
import type { RouteStore, StoredRoute } from './ports.ts'
import type { RouteSettings } from './route-settings.ts'

const SETTINGS: RouteSettings = {
  targets: [{ provider: 'p', model: 'm', weight: 1 }],
  strategy: 'priority',
  fallback: true,
  afterFirstToken: 'error',
  retries: 2,
}

/** What was stored, and a store that others can change too. */
function fakeStore() {
  const rows = new Map<string, StoredRoute>()
  const faults: Error[] = []
  let tell: (organizationId: string | undefined) => void = () => {}
  const loads: (string | undefined)[] = []
  const write = (organizationId: string, name: string, settings: unknown): StoredRoute => {
    const row = { organizationId, name, settings, updatedAt: new Date(0) }
    rows.set(`${organizationId}/${name}`, row)
    return row
  }
  const store: RouteStore = {
    async load(organizationId, onPage) {
      loads.push(organizationId)
      const fault = faults.shift()
      if (fault !== undefined) throw fault
      const found = [...rows.values()].filter(
        (row) => organizationId === undefined || row.organizationId === organizationId,
      )
      await Promise.resolve()
      onPage(found)
    },
    put: async (organizationId, name, settings) => write(organizationId, name, settings),
    remove: async (organizationId, name) => rows.delete(`${organizationId}/${name}`),
    async watch(onChange) {
      tell = onChange
      return async () => {
        tell = () => {}
      }
    },
  }
  return { store, rows, write, faults, loads, tell: (organizationId?: string) => tell(organizationId) }
}

async function open(fake = fakeStore()) {
  const errors: unknown[] = []
  const routes = await openOrganizationRoutes({
    store: fake.store,
    parse(settings) {
      if (settings === 'broken') throw new Error('no route')
      return settings as RouteSettings
    },
    onError: (error) => errors.push(error),
  })
  return { routes, errors, fake }
}

describe('openOrganizationRoutes()', () => {
  it('has what was stored once it is open, and passes over what cannot be understood', async () => {
    const fake = fakeStore()
    fake.write('o', 'chat', SETTINGS)
    fake.write('o', 'bad', 'broken')
    const { routes, errors } = await open(fake)
    expect([...(routes.settingsOf('o')?.keys() ?? [])]).toEqual(['chat'])
    expect(routes.settingsOf('p')).toBeUndefined()
    expect(String(errors[0])).toContain('"bad" of the organization o')
    await routes.close()
  })

  it('put() and remove() are in force when they return', async () => {
    const { routes } = await open()
    await routes.put('o', 'chat', SETTINGS)
    expect(routes.settingsOf('o')?.get('chat')).toEqual(SETTINGS)
    expect(routes.find('o', 'chat')?.name).toBe('chat')
    expect(routes.list('o')).toHaveLength(1)
    expect(await routes.remove('o', 'chat')).toBe(true)
    expect(await routes.remove('o', 'chat')).toBe(false)
    expect(routes.settingsOf('o')).toBeUndefined()
    expect(routes.list('o')).toEqual([])
  })

  it('follows the changes of others, of one organization by reading that one alone', async () => {
    const { routes, fake } = await open()
    fake.write('o', 'chat', SETTINGS)
    fake.tell('o')
    await vi.waitFor(() => expect(routes.settingsOf('o')?.size).toBe(1))
    expect(fake.loads).toEqual([undefined, 'o'])
    fake.write('p', 'chat', SETTINGS)
    fake.rows.delete('o/chat')
    fake.tell()
    await vi.waitFor(() => expect(routes.settingsOf('p')?.size).toBe(1))
    expect(routes.settingsOf('o')).toBeUndefined()
  })

  it('keeps what it knows while the store is away, and reads again what it missed', async () => {
    vi.useFakeTimers()
    try {
      const { routes, fake, errors } = await open()
      await routes.put('o', 'chat', SETTINGS)
      fake.write('o', 'more', SETTINGS)
      fake.faults.push(new Error('away'))
      fake.tell('o')
      await vi.advanceTimersByTimeAsync(10)
      expect(errors).toHaveLength(1)
      expect(routes.settingsOf('o')?.size).toBe(1)
      await vi.advanceTimersByTimeAsync(1000)
      expect(routes.settingsOf('o')?.size).toBe(2)
      await routes.close()
    } finally {
      vi.useRealTimers()
    }
  })

  it('bounds the routes of one organization', async () => {
    const fake = fakeStore()
    for (let i = 0; i < 500; i++) fake.write('o', `r${i}`, SETTINGS)
    const { routes } = await open(fake)
    await expect(routes.put('o', 'one-more', SETTINGS)).rejects.toMatchObject({ code: 'conflict' })
    await routes.put('o', 'r1', { ...SETTINGS, retries: 0 })
    expect(routes.find('o', 'r1')?.settings.retries).toBe(0)
  })
})
