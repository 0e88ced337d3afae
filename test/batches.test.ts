import { createServer as createHttpServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import OpenAI, { toFile } from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createGateway } from '../src/gateway.ts'
import { createServer } from '../src/http/server.ts'
import { MemoryCounters } from '../src/limits/memory-counters.ts'
import { budgetMeter } from '../src/limits/meters.ts'
import { ORGANIZATION } from '../src/limits/policy.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const MODEL = 'fixed-200-50'
/** 200 tokens at half a dollar a million and 50 at two: what batches cost here. */
const LINE_NANO_USD = 200 * 500 + 50 * 2000

/** The simulator, but for batches: those stay open until they are let go. */
const provider = {
  simulatorUrl: '',
  isOpen: true,
  /** Answers instead of the simulator. */
  refuse: undefined as { path: RegExp; method: string; status: number } | undefined,
  asked: [] as string[],
}
let proxy: Server
let proxyUrl: string
let time: { aheadMs: number }
let house: TestGateway
let client: OpenAI

beforeAll(async () => {
  proxy = createHttpServer((request, response) => {
    void (async () => {
      const { method = '', url = '' } = request
      const bytes = await buffer(request)
      provider.asked.push(`${method} ${url}`)
      const { refuse, simulatorUrl } = provider
      if (refuse?.path.test(url) === true && refuse.method === method) {
        response
          .writeHead(refuse.status, { 'content-type': 'application/json' })
          .end('{"error":{"message":"No."}}')
        return
      }
      const answer = await fetch(simulatorUrl + url, {
        method,
        headers: { 'content-type': request.headers['content-type'] ?? '' },
        ...(bytes.length === 0 ? {} : { body: new Uint8Array(bytes) }),
      })
      let text = await answer.text()
      if (provider.isOpen && answer.ok && url.startsWith('/v1/batches')) {
        text = JSON.stringify({
          ...(JSON.parse(text) as object),
          status: 'in_progress',
          output_file_id: null,
          completed_at: null,
        })
      }
      response
        .writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
        .end(text)
    })()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
})

afterAll(() => {
  proxy.close()
})

beforeEach(async () => {
  Object.assign(provider, { isOpen: true, refuse: undefined, asked: [] })
  time = { aheadMs: 0 }
  house = await startGateway({
    clock: { now: () => Date.now() + time.aheadMs, monotonicMs: () => performance.now() },
    providers: (url) => {
      provider.simulatorUrl = url
      return { openai: { kind: 'openai', baseUrl: `${proxyUrl}/v1`, apiKey: 'test' } }
    },
    config: {
      prices: {
        overrides: {
          [`openai/${MODEL}`]: { inputPerMillionUsd: 1, outputPerMillionUsd: 4 },
          [`openai/${MODEL}:batch`]: { inputPerMillionUsd: 0.5, outputPerMillionUsd: 2 },
        },
      },
    },
  })
  client = clientOf(house.url)
})

afterEach(() => house?.close())

function clientOf(url: string): OpenAI {
  return new OpenAI({ apiKey: house.key, baseURL: `${url}/v1`, maxRetries: 0 })
}

function line(cap: number | undefined): string {
  const body = { model: MODEL, messages: [{ role: 'user', content: 'How many?' }], max_tokens: cap }
  return `${JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body })}\n`
}

/** @param cap of the output of each line: 500 tokens of it hold a thousandth of a dollar and something for the input */
async function makeBatch(lines = 2, cap: number | undefined = 500) {
  const file = await client.files.create({
    file: await toFile(Buffer.from(line(cap).repeat(lines)), 'input.jsonl'),
    purpose: 'batch',
  })
  return client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
}

async function organizationId(): Promise<string> {
  return (await house.gateway.identityStore.findOrganization('default'))?.id ?? ''
}

async function setBudget(limitNanoUsd: number | null): Promise<void> {
  const id = await organizationId()
  // Whenever the test runs, no period ends while it does.
  const startMs = Date.now() - DAY_MS
  const period = { kind: 'custom', startMs, endMs: startMs + 100 * DAY_MS } as const
  await house.gateway.policyStore.putBudget(id, ORGANIZATION, { limitNanoUsd, period })
  const written = JSON.stringify(await house.gateway.policyStore.list(id))
  await expect
    .poll(() => JSON.stringify([...house.gateway.book.ofOrganization(id)].map(({ policy }) => policy)))
    .toBe(written)
}

/** Used and held of the organization's budget. */
async function stateOf(gateway = house.gateway): Promise<[number, number]> {
  const id = await organizationId()
  const policy = await house.gateway.policyStore.find(id, ORGANIZATION)
  if (policy?.budget === undefined) throw new Error('There is no budget.')
  const [state] = await gateway.counters.read(id, [budgetMeter(ORGANIZATION, policy.budget, Date.now())])
  return [state?.used ?? -1, state?.held ?? -1]
}

/** What the books have of batches. */
async function booked(): Promise<{ cost: number; estimated: boolean }[]> {
  const { rows } = await house.database.query<{ cost: string; estimated: boolean }>(
    `SELECT cost_nano_usd::text AS cost, estimated FROM ledger WHERE operation = 'batch' AND NOT final`,
  )
  return rows.map(({ cost, estimated }) => ({ cost: Number(cost), estimated }))
}

async function resourceOf(id: string): Promise<{ held: number; settled: boolean } | undefined> {
  const { rows } = await house.database.query<{ held: string; settled: boolean }>(
    `SELECT held_nano_usd::text AS held, settled_at IS NOT NULL AS settled FROM provider_resources WHERE id = $1`,
    [id],
  )
  return rows[0] === undefined ? undefined : { held: Number(rows[0].held), settled: rows[0].settled }
}

const made = () => provider.asked.filter((line) => line === 'POST /v1/batches').length

describe('a batch', () => {
  it('is not made where its lines may cost more than is left of a budget', async () => {
    await setBudget(2_000_000)
    await expect(makeBatch()).rejects.toMatchObject({
      status: 429,
      code: 'budget_exhausted',
      message: expect.stringMatching(/may cost 0\.002\d+ USD, .* 0\.002 USD, 0\.002 USD are left/),
    })
    expect(made()).toBe(0)
    expect(await stateOf()).toEqual([0, 0])
  })

  it('holds what it may come to until it is over, then has cost what it cost', async () => {
    await setBudget(4_000_000)
    const { id } = await makeBatch()
    const { held = 0 } = (await resourceOf(id)) ?? {}
    // Twice 500 tokens at two dollars a million, and the input.
    expect(held).toBeGreaterThan(2_000_000)
    expect(held).toBeLessThan(2_200_000)
    expect(await stateOf()).toEqual([0, held])
    await client.batches.retrieve(id)
    expect(await stateOf()).toEqual([0, held])
    await expect(makeBatch()).rejects.toMatchObject({
      code: 'budget_exhausted',
      message: expect.stringContaining('are left'),
    })

    provider.isOpen = false
    await client.batches.retrieve(id)
    expect(await stateOf()).toEqual([2 * LINE_NANO_USD, 0])
    await Promise.all([client.batches.retrieve(id), client.batches.list(), house.gateway.batchWatch.look()])
    expect(await stateOf()).toEqual([2 * LINE_NANO_USD, 0])
    expect(await booked()).toEqual([{ cost: 2 * LINE_NANO_USD, estimated: false }])

    const { rows } = await house.database.query<{ request_id: string }>(
      'SELECT request_id FROM provider_resources WHERE id = $1',
      [id],
    )
    const found = await fetch(`${house.url}/api/v1/requests/${rows[0]?.request_id}.batch`, {
      headers: { authorization: `Bearer ${house.adminKey}` },
    })
    expect(await found.json()).toMatchObject({
      operation: 'batch',
      costUsd: '0.0004',
      attempts: [{ provider: 'openai' }],
    })
  })

  it('of a provider that is done at once holds and settles in one call', async () => {
    await setBudget(4_000_000)
    provider.isOpen = false
    const { id } = await makeBatch(3, 50)
    expect(await stateOf()).toEqual([3 * LINE_NANO_USD, 0])
    expect((await resourceOf(id))?.settled).toBe(true)
  })

  it('gives everything back where its provider does not make it', async () => {
    await setBudget(4_000_000)
    provider.refuse = { path: /^\/v1\/batches$/, method: 'POST', status: 400 }
    await expect(makeBatch()).rejects.toMatchObject({ status: 400 })
    provider.refuse = { path: /^\/v1\/batches$/, method: 'POST', status: 500 }
    await expect(makeBatch()).rejects.toMatchObject({ status: 502 })
    expect(await stateOf()).toEqual([0, 0])
  })

  it('is refused as not found where its provider has lost the input', async () => {
    provider.refuse = { path: /\/content$/, method: 'GET', status: 404 }
    await expect(makeBatch()).rejects.toMatchObject({ status: 404, param: 'input_file_id' })
    expect(made()).toBe(0)
  })

  it('needs no budget, and its file is then not read', async () => {
    const id = await organizationId()
    await house.gateway.policyStore.remove(id, ORGANIZATION, 'budget')
    await expect.poll(() => [...house.gateway.book.ofOrganization(id)]).toEqual([])
    await makeBatch()
    expect(provider.asked.some((asked) => asked.endsWith('/content'))).toBe(false)
  })
})

describe('a batch that nobody looks at', () => {
  it('is looked at after five minutes and every ten from then on, and booked when it is over', async () => {
    const { id } = await makeBatch()
    const looks = () => provider.asked.filter((asked) => asked === `GET /v1/batches/${id}`).length
    const { held = 0 } = (await resourceOf(id)) ?? {}
    await house.gateway.batchWatch.look()
    expect(looks()).toBe(0)
    time.aheadMs = 5 * MINUTE_MS
    await house.gateway.batchWatch.look()
    await house.gateway.batchWatch.look()
    expect(looks()).toBe(1)
    expect(await stateOf()).toEqual([0, held])
    provider.isOpen = false
    time.aheadMs += 10 * MINUTE_MS
    await house.gateway.batchWatch.look()
    expect(looks()).toBe(2)
    expect(await booked()).toEqual([{ cost: 2 * LINE_NANO_USD, estimated: false }])
    expect(await stateOf()).toEqual([2 * LINE_NANO_USD, 0])
    time.aheadMs += DAY_MS
    await house.gateway.batchWatch.look()
    expect(looks()).toBe(2)
  })

  it('is booked also when its organization was removed', async () => {
    await makeBatch()
    await house.gateway.organizations.remove('default')
    provider.isOpen = false
    time.aheadMs = 5 * MINUTE_MS
    await house.gateway.batchWatch.look()
    expect(await booked()).toEqual([{ cost: 2 * LINE_NANO_USD, estimated: false }])
  })

  it('gives back what it holds when its provider has not known it for 30 days', async () => {
    await setBudget(4_000_000)
    const { id } = await makeBatch()
    const { held = 0 } = (await resourceOf(id)) ?? {}
    provider.refuse = { path: /^\/v1\/batches\//, method: 'GET', status: 404 }
    time.aheadMs = 29 * DAY_MS
    await house.gateway.batchWatch.look()
    expect(await stateOf()).toEqual([0, held])
    time.aheadMs = 30 * DAY_MS + MINUTE_MS
    await house.gateway.batchWatch.look()
    expect(await stateOf()).toEqual([0, 0])
    expect([await resourceOf(id), await booked()]).toEqual([{ held, settled: true }, []])
  })

  it('is booked as what was held for it when its output could not be read for 30 days', async () => {
    const { id } = await makeBatch()
    const { held = 0 } = (await resourceOf(id)) ?? {}
    provider.isOpen = false
    provider.refuse = { path: /\/content$/, method: 'GET', status: 404 }
    time.aheadMs = 30 * DAY_MS + MINUTE_MS
    await house.gateway.batchWatch.look()
    expect(await booked()).toEqual([{ cost: held, estimated: true }])
  })
})

describe('a batch over a restart', () => {
  /** A second process on the same database, whose counters know nothing. */
  async function withAnother(work: (url: string, gateway: TestGateway['gateway']) => Promise<void>) {
    const counters = new MemoryCounters({
      clock: house.gateway.clock,
      newId: () => 'another',
      unknown: 'refuse',
    })
    const gateway = await createGateway({
      config: house.gateway.config,
      database: house.database,
      clock: house.gateway.clock,
      counters,
    })
    const server = await createServer(gateway)
    try {
      await work(await server.listen(), gateway)
    } finally {
      await server.close()
      await gateway.close()
    }
  }

  it('is held again before the first call is let in, and settled to the nano-dollar', async () => {
    await setBudget(4_000_000)
    const { id } = await makeBatch()
    const { held = 0 } = (await resourceOf(id)) ?? {}
    await house.ledger()
    await withAnother(async (url, gateway) => {
      expect(await stateOf(gateway)).toEqual([0, 0])
      await clientOf(url).files.list()
      expect(await stateOf(gateway)).toEqual([0, held])
      provider.isOpen = false
      await clientOf(url).batches.retrieve(id)
      expect(await stateOf(gateway)).toEqual([2 * LINE_NANO_USD, 0])
    })
    expect(await booked()).toHaveLength(1)
  })

  it('that ends before any call is counted once, whether the books or the counters are asked first', async () => {
    await setBudget(4_000_000)
    await makeBatch()
    await house.ledger()
    provider.isOpen = false
    time.aheadMs = 5 * MINUTE_MS
    await withAnother(async (url, gateway) => {
      await gateway.batchWatch.look()
      expect(await booked()).toHaveLength(1)
      await clientOf(url).files.list()
      expect(await stateOf(gateway)).toEqual([2 * LINE_NANO_USD, 0])
    })
  })

  it('that came between its row and its mark is not counted twice', async () => {
    await setBudget(4_000_000)
    provider.isOpen = false
    const { id } = await makeBatch()
    await house.database.query('UPDATE provider_resources SET settled_at = NULL WHERE id = $1', [id])
    await house.ledger()
    await withAnother(async (url, gateway) => {
      await clientOf(url).files.list()
      expect(await stateOf(gateway)).toEqual([2 * LINE_NANO_USD, 0])
      await clientOf(url).batches.retrieve(id)
      expect(await stateOf(gateway)).toEqual([2 * LINE_NANO_USD, 0])
      expect((await resourceOf(id))?.settled).toBe(true)
    })
    expect(await booked()).toHaveLength(1)
  })
})
