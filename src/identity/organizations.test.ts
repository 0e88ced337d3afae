import { beforeEach, describe, expect, it } from 'vitest'
import { createMemoryStore, type MemoryStore } from './fixtures/memory-store.ts'
import { hashKey } from './key-hash.ts'
import { KeyRing } from './key-ring.ts'
import { createOrganizations, type Organizations, toSlug } from './organizations.ts'

let nowMs: number
let store: MemoryStore
let ring: KeyRing
let organizations: Organizations

beforeEach(() => {
  nowMs = 1_700_000_000_000
  store = createMemoryStore()
  ring = new KeyRing()
  organizations = createOrganizations(store, ring, () => nowMs)
})

function codeOf(key: string): string {
  try {
    ring.identify(key, '192.0.2.1', nowMs)
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('issueKey()', () => {
  it('gives a key that works at once and is nowhere stored as it is', async () => {
    const { id } = await organizations.create({ name: 'Acme' })
    const { key, record } = await organizations.issueKey('acme', { name: 'first' })
    expect(key).toMatch(/^gh-[\w-]{43}$/)
    expect(ring.identify(key, '192.0.2.1', nowMs)).toBe(record)
    expect(record).toMatchObject({ organizationId: id, hash: hashKey(key), prefix: key.slice(0, 8) })
    expect(JSON.stringify([...store.keys])).not.toContain(key)
  })

  it('books the key on a team of that organization alone', async () => {
    const acme = await organizations.create({ name: 'Acme' })
    const other = await organizations.create({ name: 'Other' })
    const team = await organizations.createTeam(other.id, 'theirs')
    await expect(organizations.issueKey(acme.id, { name: 'k', teamId: team.id })).rejects.toMatchObject({
      code: 'not_found',
    })
    const { record } = await organizations.issueKey(other.id, { name: 'k', teamId: team.id })
    expect(record.teamId).toBe(team.id)
  })

  it('refuses what is no address, and names it', async () => {
    await organizations.create({ name: 'Acme' })
    const issued = organizations.issueKey('acme', { name: 'k', ipAllow: ['10.0.0.0/8', '10.0.0.0/40'] })
    await expect(issued).rejects.toMatchObject({ code: 'invalid_request', param: 'ipAllow' })
    await expect(issued).rejects.toThrow('10.0.0.0/40')
    expect(store.keys.size).toBe(0)
  })

  it('knows no organization that is not there', async () => {
    await expect(organizations.issueKey('nobody', { name: 'k' })).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('rotateKey()', () => {
  it('gives a new key with the same rights, and refuses the old one after the grace', async () => {
    await organizations.create({ name: 'Acme' })
    const rights = { name: 'k', user: 'ann', models: ['chat'], scopes: ['x'], ipAllow: ['192.0.2.0/24'] }
    const old = await organizations.issueKey('acme', rights)
    const fresh = await organizations.rotateKey(old.record.id, 60)
    expect(fresh.key).not.toBe(old.key)
    expect(fresh.record).toMatchObject(rights)
    expect([codeOf(old.key), codeOf(fresh.key)]).toEqual(['accepted', 'accepted'])
    nowMs += 60_000
    expect([codeOf(old.key), codeOf(fresh.key)]).toEqual(['key_revoked', 'accepted'])
  })

  it('does not make a dead key live again', async () => {
    await organizations.create({ name: 'Acme' })
    const { record } = await organizations.issueKey('acme', { name: 'k' })
    await organizations.revokeKey(record.id)
    await expect(organizations.rotateKey(record.id, 0)).rejects.toMatchObject({ code: 'conflict' })
    expect(store.keys.size).toBe(1)
  })
})

describe('revokeKey()', () => {
  it('takes effect at once', async () => {
    await organizations.create({ name: 'Acme' })
    const { key, record } = await organizations.issueKey('acme', { name: 'k' })
    await organizations.revokeKey(record.id)
    expect(codeOf(key)).toBe('key_revoked')
  })

  it('does not prolong a grace that runs', async () => {
    await organizations.create({ name: 'Acme' })
    const { key, record } = await organizations.issueKey('acme', { name: 'k' })
    await organizations.rotateKey(record.id, 10)
    await organizations.rotateKey(record.id, 1000)
    nowMs += 10_000
    expect(codeOf(key)).toBe('key_revoked')
  })

  it('knows no key that is not there', async () => {
    await expect(organizations.revokeKey('nobody')).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('remove()', () => {
  it('closes the gate to all keys of the organization, and to no other', async () => {
    await organizations.create({ name: 'Acme' })
    await organizations.create({ name: 'Other' })
    const first = await organizations.issueKey('acme', { name: 'a' })
    const second = await organizations.issueKey('acme', { name: 'b' })
    const theirs = await organizations.issueKey('other', { name: 'c' })
    await organizations.remove('acme')
    expect([first, second, theirs].map(({ key }) => codeOf(key))).toEqual([
      'key_revoked',
      'key_revoked',
      'accepted',
    ])
  })
})

describe('toSlug()', () => {
  it('makes lower-case words joined by hyphens', () => {
    expect(toSlug('  Acme Corp. (Zürich) ')).toBe('acme-corp-zurich')
    expect(toSlug('A'.repeat(100))).toBe('a'.repeat(63))
    expect(toSlug(`${'a'.repeat(62)} b`)).toBe('a'.repeat(62))
    expect(toSlug('日本')).toBe('organization')
    expect(toSlug('')).toBe('organization')
  })
})
