import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createGateway } from '../gateway.ts'
import { migrate } from '../storage/migrate.ts'
import { createGatehouse } from './gatehouse.ts'

const closed = vi.hoisted(() => [] as string[])

vi.mock('../storage/open-database.ts', () => ({
  openDatabase: async () => ({ close: async () => void closed.push('database') }),
}))
vi.mock('../storage/migrate.ts', () => ({ migrate: vi.fn(async () => undefined) }))
vi.mock('../gateway.ts', () => ({ createGateway: vi.fn() }))

function gateway(changes: object = {}) {
  return {
    identityStore: {
      listOrganizations: async () => ({ data: [{ id: 'org-1' }] }),
      findOrganization: async () => undefined,
    },
    organizations: {},
    events: { on: () => undefined },
    close: async () => void closed.push('gateway'),
    ...changes,
  } as never
}

beforeEach(() => {
  closed.length = 0
  vi.mocked(createGateway).mockReset().mockResolvedValue(gateway())
  vi.mocked(migrate)
    .mockReset()
    .mockResolvedValue(undefined as never)
})

describe('createGatehouse()', () => {
  it('closes the database where the tables cannot be made', async () => {
    vi.mocked(migrate).mockRejectedValue(new Error('no tables'))
    await expect(createGatehouse({ config: {} })).rejects.toThrow('no tables')
    expect(closed).toEqual(['database'])
  })

  it('closes the database where the gateway cannot be made', async () => {
    vi.mocked(createGateway).mockRejectedValue(new Error('no gateway'))
    await expect(createGatehouse({ config: {} })).rejects.toThrow('no gateway')
    expect(closed).toEqual(['database'])
  })

  it('closes both where the first organization cannot be read', async () => {
    const identityStore = {
      async listOrganizations() {
        throw new Error('no organizations')
      },
    }
    vi.mocked(createGateway).mockResolvedValue(gateway({ identityStore }))
    await expect(createGatehouse({ config: {} })).rejects.toThrow('no organizations')
    expect(closed).toEqual(['gateway', 'database'])
  })
})

describe('close()', () => {
  it('closes the gateway, then the database, and the database also where the gateway cannot be closed', async () => {
    const gatehouse = await createGatehouse({ config: {} })
    await gatehouse.close()
    expect(closed).toEqual(['gateway', 'database'])
    closed.length = 0
    const close = async () => {
      throw new Error('rows were lost')
    }
    vi.mocked(createGateway).mockResolvedValue(gateway({ close }))
    const failing = await createGatehouse({ config: {} })
    await expect(failing.close()).rejects.toThrow('rows were lost')
    expect(closed).toEqual(['database'])
  })
})
