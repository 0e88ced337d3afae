import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { createPriceBook } from '../prices.ts'
import { createPrices } from './desk.ts'
import { openPriceDirectory } from './directory.ts'
import { createMemoryPriceStore } from './fixtures/memory-store.ts'
import type { PriceTarget } from './report.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const flat = (usd: number) => ({ inputPerMillionUsd: usd, outputPerMillionUsd: usd })

interface Setting {
  readonly targets?: readonly PriceTarget[]
  readonly seen?: readonly PriceTarget[]
  readonly overrides?: Readonly<Record<string, ReturnType<typeof flat>>>
  readonly unknown?: 'ceiling' | 'refuse'
}

const openai = (model: string) => ({ provider: 'openai', model })

async function open({ targets = [], seen = [], overrides = {}, unknown = 'ceiling' }: Setting = {}) {
  const memory = createMemoryPriceStore()
  let nowMs = NOW
  let ids = 0
  const now = () => nowMs
  const directory = await openPriceDirectory({
    store: memory.store,
    now,
    onError: (error) => {
      throw error
    },
  })
  const book = createPriceBook({ overrides, unknown, ceiling: flat(100), live: directory, now })
  const prices = createPrices({
    store: memory.store,
    directory,
    inForce: () => ({
      book,
      overrides,
      targets,
      providers: ['openai', 'local'],
      facts: (name) =>
        name === 'openai'
          ? { pricesId: 'openai', free: false }
          : { pricesId: undefined, free: name === 'local' },
    }),
    seen: async () => seen,
    now,
    newId: () => `id-${++ids}`,
  })
  return {
    prices,
    memory,
    book,
    tick: (ms: number) => {
      nowMs += ms
    },
  }
}

/** The bundled data with other prices of some models of OpenAI. */
async function dataWith(changes: Readonly<Record<string, object | undefined>>) {
  const providers = JSON.parse(JSON.stringify(await waitForUpdate())) as {
    id: string
    models: { id: string; prices: object }[]
  }[]
  for (const provider of providers.filter(({ id }) => id === 'openai')) {
    provider.models = provider.models.flatMap((model) => {
      if (!(model.id in changes)) return [model]
      const prices = changes[model.id]
      return prices === undefined ? [] : [{ ...model, prices }]
    })
  }
  return providers
}

const request = { source: 'a test', dryRun: false, force: false }

describe('put() and remove()', () => {
  it('change what the organization pays from the moment on, and keep the history', async () => {
    const { prices, book, tick } = await open()
    const query = { ...openai('gpt-4o'), providerName: 'openai', pricesId: 'openai', free: false }
    const versionFor = (organizationId: string) => book.priceOf({ ...query, organizationId }).version
    await prices.put('acme', 'openai/gpt-4o', flat(1))
    expect(versionFor('acme')).toBe('override:acme:id-1')
    expect(versionFor('other')).toContain('genai-prices@')
    tick(1)
    await prices.put('acme', 'openai/gpt-4o', flat(2), new Date(NOW + 1000))
    expect(versionFor('acme')).toBe('override:acme:id-1')
    tick(1000)
    expect(versionFor('acme')).toBe('override:acme:id-2')
    await prices.remove('acme', 'openai/gpt-4o')
    expect(versionFor('acme')).toContain('genai-prices@')
    expect((await prices.overridesOf('acme')).map(({ price }) => price)).toEqual([null, flat(2), flat(1)])
    await expect(prices.remove('acme', 'openai/gpt-4o')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('refuse the past, and a provider that is not there', async () => {
    const { prices, memory } = await open()
    const past = new Date(NOW - 1)
    await expect(prices.put('acme', 'openai/gpt-4o', flat(1), past)).rejects.toMatchObject({
      param: 'validFrom',
    })
    await expect(prices.put('acme', 'opnai/gpt-4o', flat(1))).rejects.toMatchObject({
      param: 'target',
      message: expect.stringContaining('openai, local'),
    })
    expect(memory.overrides).toEqual([])
  })

  it('bound how many one organization can have', async () => {
    const { prices, memory } = await open()
    for (let n = 0; n < 1000; n++) {
      const validFrom = new Date(NOW)
      memory.insert({ id: `${n}`, organizationId: 'acme', target: `openai/${n}`, price: flat(1), validFrom })
    }
    await expect(prices.put('acme', 'openai/x', flat(1))).rejects.toMatchObject({ param: 'target' })
    await prices.put('acme', 'openai/5', flat(2))
    await prices.put('other', 'openai/x', flat(2))
  })
})

describe('list()', () => {
  it('has the targets of routes and of calls once each, with their prices and who does not know them', async () => {
    const { prices } = await open({
      targets: [openai('gpt-4o'), openai('gpt-99'), { provider: 'local', model: 'llama' }],
      seen: [openai('gpt-4o'), openai('o3'), { provider: 'gone', model: 'm' }],
    })
    const rows = await prices.list({})
    expect(
      rows.map(({ provider, model, configured, price }) => [
        `${provider}/${model}`,
        configured,
        price?.known,
      ]),
    ).toEqual([
      ['gone/m', false, false],
      ['local/llama', true, true],
      ['openai/gpt-4o', true, true],
      ['openai/gpt-99', true, false],
      ['openai/o3', false, true],
    ])
    const some = await prices.list({ provider: 'openai', model: 'gpt-*' })
    expect(some.map(({ model }) => model)).toEqual(['gpt-4o', 'gpt-99'])
    expect(await prices.list({ model: 'gpt' })).toEqual([])
  })

  it('shows what one organization pays', async () => {
    const { prices } = await open({ targets: [openai('gpt-4o')] })
    await prices.put('acme', 'openai/gpt-*', flat(1))
    const [own] = await prices.list({ organizationId: 'acme' })
    const [others] = await prices.list({})
    expect(own?.price?.version).toBe('override:acme:id-1')
    expect(others?.price?.version).toContain('genai-prices@')
  })

  it('has no price where calls are refused', async () => {
    const { prices } = await open({ targets: [openai('gpt-99')], unknown: 'refuse' })
    expect(await prices.list({})).toEqual([{ ...openai('gpt-99'), configured: true, price: undefined }])
  })
})

describe('diff()', () => {
  it('puts each price that somebody wrote against what would be paid without it', async () => {
    const { prices } = await open({
      targets: [openai('gpt-4o'), openai('gpt-4o-mini')],
      overrides: { 'openai/gpt-4o': flat(5), 'local/x': flat(1) },
    })
    await prices.put('acme', 'openai/gpt-4o*', flat(10))
    await prices.put('acme', 'openai/gpt-99', flat(10))
    const told = (await prices.diff()).map(({ organizationId, provider, model, changes, listed }) => {
      const input = changes.find(({ part }) => part === 'inputPerMillionUsd')
      return [organizationId, `${provider}/${model}`, listed !== undefined, input?.from, input?.to]
    })
    expect(told).toEqual([
      [undefined, 'openai/gpt-4o', true, 2.5e12, 5e12],
      [undefined, 'local/x', true, 0, 1e12],
      // Against the configuration's price, which everybody pays.
      ['acme', 'openai/gpt-4o', true, 5e12, 1e13],
      ['acme', 'openai/gpt-4o-mini', true, 0.15e12, 1e13],
      ['acme', 'openai/gpt-99', false, undefined, undefined],
    ])
    expect(await prices.diff('other')).toEqual([])
    expect(await prices.diff('acme')).toHaveLength(3)
  })
})

describe('update()', () => {
  it('puts data in force that was shown before, and goes back', async () => {
    const { prices, memory, tick } = await open({ targets: [openai('gpt-4o'), openai('o3')] })
    const data = await dataWith({ 'gpt-4o': { input_mtok: 3, cache_read_mtok: 1.25, output_mtok: 10 } })
    const dry = await prices.update({ ...request, data, dryRun: true })
    expect(dry).toMatchObject({ outcome: 'dry-run', otherChanges: 0 })
    expect(dry.changes).toMatchObject([{ ...openai('gpt-4o'), inUse: true, drastic: false }])
    expect(dry.changes[0]?.changes).toContainEqual({ part: 'inputPerMillionUsd', from: 2.5e12, to: 3e12 })
    expect(memory.data).toEqual([])

    const stored = await prices.update({ ...request, data })
    expect(stored).toMatchObject({ outcome: 'stored', version: stored.checksum?.slice(0, 12) })
    const [row] = await prices.list({ model: 'gpt-4o' })
    expect(row?.price?.version).toBe(`genai-prices@${stored.version}:openai/gpt-4o:base`)
    expect(prices.dataInForce()).toEqual({ version: stored.version, since: new Date(NOW) })
    expect((await prices.update({ ...request, data })).outcome).toBe('unchanged')

    tick(1)
    const back = await prices.update({ ...request, data: undefined, source: 'bundled' })
    expect(back).toMatchObject({ outcome: 'stored', checksum: null })
    expect((await prices.list({ model: 'gpt-4o' }))[0]?.price?.version).toContain('@0.1.8:')
    expect((await prices.dataHistory()).map(({ source }) => source)).toEqual(['bundled', 'a test'])
  })

  it.each([
    ['drops to nothing', { input_mtok: 0, output_mtok: 10 }],
    ['grows by more than ten times', { input_mtok: 25.01, output_mtok: 10 }],
    ['shrinks to less than a tenth', { input_mtok: 2.5, output_mtok: 0.99 }],
    ['is lost', undefined],
  ])('wants to be forced where a price %s, in use or not', async (_name, changed) => {
    const data = await dataWith({ 'gpt-4o': changed })
    for (const targets of [[openai('gpt-4o')], []]) {
      const { prices, memory } = await open({ targets })
      const refused = await prices.update({ ...request, data })
      expect(refused).toMatchObject({ outcome: 'needs-force' })
      expect(refused.changes).toContainEqual(
        expect.objectContaining({ ...openai('gpt-4o'), drastic: true, inUse: targets.length > 0 }),
      )
      expect(memory.data).toEqual([])
      expect((await prices.update({ ...request, data, force: true })).outcome).toBe('stored')
    }
  })

  it('does not mind tenfold, nor what the configuration prices itself, nor whom nobody can call', async () => {
    const tenfold = await dataWith({ 'gpt-4o': { input_mtok: 25, cache_read_mtok: 1.25, output_mtok: 10 } })
    const { prices } = await open()
    expect(await prices.update({ ...request, data: tenfold })).toMatchObject({
      outcome: 'stored',
      changes: [],
      otherChanges: 1,
    })
    const own = await open({ targets: [openai('gpt-4o')], overrides: { 'openai/gpt-4o': flat(1) } })
    const lost = await dataWith({ 'gpt-4o': undefined })
    expect(await own.prices.update({ ...request, data: lost })).toMatchObject({
      outcome: 'stored',
      changes: [],
    })
  })

  it('refuses what is no data, and changes nothing', async () => {
    const { prices, memory } = await open()
    await expect(prices.update({ ...request, data: [{}] })).rejects.toMatchObject({ code: 'invalid_request' })
    expect(memory.data).toEqual([])
  })
})
