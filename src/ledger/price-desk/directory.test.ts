import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { checksumOf } from './data.ts'
import { openPriceDirectory } from './directory.ts'
import { createMemoryPriceStore } from './fixtures/memory-store.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const DAY_MS = 86_400_000
const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function entry(id: string, organizationId: string, validFromMs = NOW) {
  return { id, organizationId, target: 'p/m', price: PRICE, validFrom: new Date(validFromMs) }
}

function dataEntry(usd: number, validFromMs: number) {
  const prices = { input_mtok: usd, output_mtok: usd }
  const json = [
    { id: 'p', name: 'P', api_pattern: 'p', models: [{ id: 'm', match: { equals: 'm' }, prices }] },
  ]
  const data = JSON.stringify(json)
  const validFrom = new Date(validFromMs)
  return { checksum: checksumOf(data), source: 'a test', data, validFrom, createdAt: validFrom }
}

async function open() {
  const memory = createMemoryPriceStore()
  const onError = vi.fn()
  const opened = () => openPriceDirectory({ store: memory.store, now: () => NOW, onError })
  return { memory, onError, opened }
}

const settled = () => vi.advanceTimersByTimeAsync(0)

describe('openPriceDirectory()', () => {
  it('knows what is stored, and what is added later, of one organization or of all', async () => {
    const { memory, opened } = await open()
    memory.insert(entry('a', 'one'))
    const directory = await opened()
    const versionOf = (organizationId: string) =>
      directory.overridesOf(organizationId)?.find('p', 'm', NOW)?.version
    expect(versionOf('one')).toBe('override:one:a')
    expect(directory.overridesOf('two')).toBeUndefined()

    memory.insert(entry('b', 'two'))
    memory.insert(entry('c', 'three'))
    memory.change({ organizationId: 'two' })
    await settled()
    expect([versionOf('one'), versionOf('two'), versionOf('three')]).toEqual([
      'override:one:a',
      'override:two:b',
      undefined,
    ])
    memory.change('all')
    await settled()
    expect(versionOf('three')).toBe('override:three:c')
  })

  it('forgets what is gone', async () => {
    const { memory, opened } = await open()
    memory.insert(entry('a', 'one'))
    memory.insert(entry('b', 'two'))
    const directory = await opened()
    memory.overrides.length = 0
    await directory.refresh({ organizationId: 'one' })
    expect(directory.overridesOf('one')).toBeUndefined()
    expect(directory.overridesOf('two')).toBeDefined()
    await directory.refresh('all')
    expect(directory.overridesOf('two')).toBeUndefined()
  })

  it('keeps the past as long as batches may ask for it', async () => {
    const { memory, opened } = await open()
    memory.insert(entry('old', 'one', NOW - 60 * DAY_MS))
    memory.insert(entry('older', 'one', NOW - 90 * DAY_MS))
    memory.insert(entry('new', 'one', NOW - DAY_MS))
    const directory = await opened()
    const versionAt = (ms: number) => directory.overridesOf('one')?.find('p', 'm', ms)?.version
    expect(versionAt(NOW - 2 * DAY_MS)).toBe('override:one:old')
    expect(versionAt(NOW)).toBe('override:one:new')
    expect(versionAt(NOW - 80 * DAY_MS)).toBeUndefined()
  })

  it('has the data of every moment, the bundled data before and where it was put back', async () => {
    const { memory, opened } = await open()
    const [first, second] = [dataEntry(1, NOW - 20), dataEntry(2, NOW - 10)]
    memory.data.push(first, second)
    const directory = await opened()
    const versionAt = (ms: number) => directory.dataAt(ms).data.version
    expect([NOW - 21, NOW - 20, NOW - 11, NOW - 10, NOW].map(versionAt)).toEqual([
      '0.1.8',
      first.checksum.slice(0, 12),
      first.checksum.slice(0, 12),
      second.checksum.slice(0, 12),
      second.checksum.slice(0, 12),
    ])
    expect(directory.dataAt(NOW - 15)).toMatchObject({ fromMs: NOW - 20, untilMs: NOW - 10 })

    const before = directory.generation
    const same = directory.dataAt(NOW).data
    memory.data.push({ ...second, checksum: null, data: null, source: 'bundled', validFrom: new Date(NOW) })
    memory.change('data')
    await settled()
    expect(directory.generation).not.toBe(before)
    expect(versionAt(NOW)).toBe('0.1.8')
    // Parsed once: half a megabyte each time is felt.
    expect(directory.dataAt(NOW - 1).data).toBe(same)
  })

  it('leaves in force what is known while data cannot be used, and says so', async () => {
    const { memory, onError, opened } = await open()
    const good = dataEntry(1, NOW - 20)
    memory.data.push(good, { ...dataEntry(2, NOW - 10), data: '[{"id": 5}]' })
    const directory = await opened()
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ message: 'The stored prices from a test cannot be used.' }),
    )
    expect(directory.dataAt(NOW).data.version).toBe(good.checksum.slice(0, 12))
  })

  it('tries again what could not be read, and keeps what it knows meanwhile', async () => {
    const { memory, onError, opened } = await open()
    memory.insert(entry('a', 'one'))
    const directory = await opened()
    memory.insert(entry('b', 'one', NOW + 1))
    memory.fail(new Error('away'))
    memory.change({ organizationId: 'one' })
    memory.change('data')
    await settled()
    expect(onError).toHaveBeenCalled()
    expect(directory.overridesOf('one')?.find('p', 'm', NOW + 1)?.version).toBe('override:one:a')
    memory.fail(undefined)
    await vi.advanceTimersByTimeAsync(1000)
    expect(directory.overridesOf('one')?.find('p', 'm', NOW + 1)?.version).toBe('override:one:b')
  })

  it('misses no change that comes while it reads', async () => {
    const { memory, opened } = await open()
    const directory = await opened()
    for (const id of ['a', 'b', 'c', 'd']) {
      memory.insert(entry(id, id))
      memory.change({ organizationId: id })
      await Promise.resolve()
    }
    await settled()
    for (const id of ['a', 'b', 'c', 'd']) expect(directory.overridesOf(id), id).toBeDefined()
  })

  it('stops watching when it is closed, and where it could not begin', async () => {
    const { memory, opened } = await open()
    const directory = await opened()
    expect(memory.isWatched()).toBe(true)
    await directory.close()
    expect(memory.isWatched()).toBe(false)
    memory.fail(new Error('away'))
    await expect(opened()).rejects.toThrow('away')
    expect(memory.isWatched()).toBe(false)
  })
})
