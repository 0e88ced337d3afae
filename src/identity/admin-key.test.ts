import { describe, expect, it } from 'vitest'
import { openAdminKey } from './admin-key.ts'
import { createMemoryStore } from './fixtures/memory-store.ts'

describe('openAdminKey()', () => {
  it('takes the configured key and stores nothing', async () => {
    const store = createMemoryStore()
    const key = await openAdminKey(store, 'a configured admin key')
    expect(key.matches('a configured admin key')).toBe(true)
    expect(key.generated).toBeUndefined()
    expect(store.settings.size).toBe(0)
  })

  it('generates one at the first start, shows it once and stores only its hash', async () => {
    const store = createMemoryStore()
    const first = await openAdminKey(store, undefined)
    const generated = first.generated ?? ''
    expect(generated).toMatch(/^gha-[\w-]{43}$/)
    expect(first.matches(generated)).toBe(true)
    expect(JSON.stringify([...store.settings])).not.toContain(generated)
    const second = await openAdminKey(store, undefined)
    expect(second.generated).toBeUndefined()
    expect(second.matches(generated)).toBe(true)
  })

  it('matches nothing else', async () => {
    const key = await openAdminKey(createMemoryStore(), 'a configured admin key')
    for (const wrong of [undefined, '', 'a configured admin ke', 'a configured admin key '])
      expect(key.matches(wrong)).toBe(false)
  })
})
