import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { prepareFirstStart } from './first-start.ts'
import { createMemoryStore } from './fixtures/memory-store.ts'
import { KeyRing } from './key-ring.ts'
import { createOrganizations } from './organizations.ts'

const NOW = 1_700_000_000_000

describe('prepareFirstStart()', () => {
  it('makes the organization `default` and a key that opens the gate', async () => {
    const store = createMemoryStore()
    const ring = new KeyRing()
    const key = await prepareFirstStart(
      store,
      createOrganizations(store, ring, () => NOW),
    )
    const organization = await store.findOrganization('default')
    expect(ring.identify(key, '192.0.2.1', NOW).organizationId).toBe(organization?.id)
  })

  it('does nothing where there is an organization already', async () => {
    const store = createMemoryStore()
    const organizations = createOrganizations(store, new KeyRing(), () => NOW)
    await organizations.create({ name: 'Acme' })
    expect(await prepareFirstStart(store, organizations)).toBeUndefined()
    expect(store.keys.size).toBe(0)
  })

  it('leaves it to another replica that was faster', async () => {
    const store = createMemoryStore()
    const organizations = createOrganizations(store, new KeyRing(), () => NOW)
    store.createOrganization = async () => {
      throw new GatewayError('conflict', { message: 'The slug is taken.' })
    }
    expect(await prepareFirstStart(store, organizations)).toBeUndefined()
  })

  it('passes any other failure on', async () => {
    const store = createMemoryStore()
    const away = new GatewayError('storage_unavailable', { message: 'away' })
    store.createOrganization = async () => {
      throw away
    }
    const organizations = createOrganizations(store, new KeyRing(), () => NOW)
    await expect(prepareFirstStart(store, organizations)).rejects.toBe(away)
  })
})
