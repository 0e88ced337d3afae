import { waitForUpdate } from '@pydantic/genai-prices'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway
let nowMs = Date.UTC(2026, 9, 20, 12)

beforeAll(async () => {
  house = await startGateway({
    clock: { now: () => nowMs, monotonicMs: () => performance.now() },
    config: {
      // Nobody is held back here, whatever a call is said to cost.
      budgets: { default: { monthlyLimitUsd: null } },
      limits: { default: { requestsPerMinute: null, tokensPerHour: null } },
      models: { chat: { targets: ['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4-5'] } },
      prices: { overrides: { 'openai/gpt-4o': { inputPerMillionUsd: 5, outputPerMillionUsd: 20 } } },
    },
  })
})
afterAll(() => house.close())

async function api(method: string, path: string, body?: unknown) {
  const response = await fetch(`${house.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${house.adminKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await response.text()
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as any }
}

function ask(key: string, model: string) {
  return call(key, '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hello' }] })
}

/** @returns the row of the call in the books */
async function call(key: string, path: string, body: object) {
  const response = await fetch(`${house.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  await response.arrayBuffer()
  const id = response.headers.get('x-request-id')
  const row = (await house.ledger()).find(({ requestId }) => requestId === id)
  if (row === undefined) throw new Error('The call is not in the books.')
  return row
}

describe('prices of an organization', () => {
  it('hold for its calls from the change on, and rows name the price they were booked at', async () => {
    const { id, key } = await house.newOrganization('priced')
    const before = await ask(key, 'openai/gpt-4o-mini')
    expect(before.priceVersion).toMatch(/^genai-prices@/)

    const put = await api('PUT', `/organizations/${id}/prices`, {
      target: 'openai/gpt-4o-mini',
      inputPerMillionUsd: 1000,
      outputPerMillionUsd: '2000',
    })
    expect(put).toMatchObject({
      status: 200,
      body: { state: 'in force', prices: { inputPerMillionUsd: '1000' } },
    })
    const after = await ask(key, 'openai/gpt-4o-mini')
    expect(after.priceVersion).toBe(`override:${id}:${put.body.id}`)
    expect(after.costNanoUsd).toBe(
      1_000_000 * (after.tokensInput ?? 0) + 2_000_000 * (after.tokensOutput ?? 0),
    )
    // Somebody else pays what everybody pays.
    expect((await ask(house.key, 'openai/gpt-4o-mini')).priceVersion).toBe(before.priceVersion)
    const again = (await house.ledger()).find((row) => row.id === before.id)
    expect(again).toMatchObject({ priceVersion: before.priceVersion, costNanoUsd: before.costNanoUsd })

    const removed = await api('DELETE', `/organizations/${id}/prices?target=openai/gpt-4o-mini`)
    expect(removed).toMatchObject({ status: 200, body: { removed: true } })
    expect((await ask(key, 'openai/gpt-4o-mini')).priceVersion).toBe(before.priceVersion)
    const { body } = await api('GET', `/organizations/${id}/prices`)
    expect(body.data).toEqual([])
    expect(body.history.map(({ removed, state }: Record<string, unknown>) => [removed, state])).toEqual([
      [true, 'in force'],
      [false, 'past'],
    ])
  })
})

describe('a price that is added by hand', () => {
  it('holds within a second', async () => {
    const { id, key } = await house.newOrganization('by hand')
    await house.database.query(
      `INSERT INTO price_overrides (id, organization_id, target, input_per_million_usd, output_per_million_usd, valid_from)
       VALUES ('mine', $1, 'openai/*', 1, 2, $2)`,
      [id, new Date(nowMs)],
    )
    const organizationId = { organizationId: id, provider: 'openai', model: 'gpt-4o' }
    await vi.waitFor(
      async () => {
        await ask(key, 'openai/gpt-4o')
        const [row] = (await api('GET', `/prices?${new URLSearchParams(organizationId)}`)).body.data
        expect(row).toMatchObject({ source: 'organization', prices: { inputPerMillionUsd: '1' } })
      },
      { timeout: 1000, interval: 50 },
    )
    expect((await ask(key, 'openai/gpt-4o')).priceVersion).toBe(`override:${id}:mine`)
  })
})

describe('a closed month', () => {
  it('stays what it was, whatever prices become', async () => {
    const { id, key } = await house.newOrganization('closed')
    await ask(key, 'openai/gpt-4o-mini')
    nowMs = Date.UTC(2026, 10, 10)
    const statement = `/reports/cost-allocation?month=2026-10&organizationId=${id}`
    expect((await api('POST', '/reports/close', { month: '2026-10' })).status).toBe(200)
    const before = (await api('GET', statement)).body
    await api('PUT', `/organizations/${id}/prices`, {
      target: 'openai/gpt-4o-mini',
      inputPerMillionUsd: 500,
      outputPerMillionUsd: 500,
    })
    const now = await ask(key, 'openai/gpt-4o-mini')
    expect(now.priceVersion).toContain(`override:${id}:`)
    expect((await api('GET', statement)).body).toEqual(before)
    expect(before.status).toBe('closed')
  })
})

describe('newer data', () => {
  async function changed(usd: number) {
    const providers = JSON.parse(JSON.stringify(await waitForUpdate())) as {
      id: string
      models: { id: string; prices: Record<string, unknown> }[]
    }[]
    const model = providers
      .find(({ id }) => id === 'anthropic')
      ?.models.find(({ id }) => id === 'claude-sonnet-4-5')
    if (model === undefined) throw new Error('The data lost a model.')
    model.prices = { input_mtok: usd, cache_read_mtok: 0.3, cache_write_mtok: 3.75, output_mtok: 15 }
    return providers
  }

  it('is checked, shown, stored, and prices the calls that begin from then on', async () => {
    const before = await ask(house.key, 'anthropic/claude-sonnet-4-5')
    const zero = await api('POST', '/prices/update', { data: await changed(0) })
    expect(zero).toMatchObject({ status: 200, body: { outcome: 'needs-force' } })
    const dry = await api('POST', '/prices/update', { data: await changed(4), dryRun: true })
    expect(dry.body.changes).toMatchObject([
      { provider: 'anthropic', model: 'claude-sonnet-4-5', inUse: true, drastic: false },
    ])
    expect(dry.body.changes[0].changes).toContainEqual({
      part: 'inputPerMillionUsd',
      fromUsd: '3',
      toUsd: '4',
      percent: 33.33,
    })
    expect((await ask(house.key, 'anthropic/claude-sonnet-4-5')).priceVersion).toBe(before.priceVersion)

    const stored = await api('POST', '/prices/update', { data: await changed(4), source: 'a test' })
    expect(stored.body).toMatchObject({ outcome: 'stored', version: dry.body.version })
    const after = await ask(house.key, 'anthropic/claude-sonnet-4-5')
    expect(after.priceVersion).toBe(`genai-prices@${stored.body.version}:anthropic/claude-sonnet-4-5:base`)
    expect(after.costNanoUsd).toBe(4000 * (after.tokensInput ?? 0) + 15_000 * (after.tokensOutput ?? 0))
    expect((await house.ledger()).find((row) => row.id === before.id)?.costNanoUsd).toBe(before.costNanoUsd)
    expect((await api('GET', '/prices/data')).body.data).toMatchObject([
      { version: stored.body.version, source: 'a test' },
    ])

    nowMs += 1
    expect((await api('POST', '/prices/update', { bundled: true })).body.outcome).toBe('stored')
    expect((await ask(house.key, 'anthropic/claude-sonnet-4-5')).priceVersion).toBe(before.priceVersion)
  })

  it.each([
    [{}, undefined],
    [{ data: [], bundled: true }, undefined],
    [{ data: [{ id: 'x' }] }, 'data'],
  ])('refuses %j', async (body, param) => {
    const reply = await api('POST', '/prices/update', body)
    expect(reply).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
    if (param !== undefined) expect(reply.body.error.param).toBe(param)
  })
})

describe('what is not sold by tokens', () => {
  it('is charged to the nano-dollar', async () => {
    const { key } = await house.newOrganization('units')
    const speech = await call(key, '/v1/audio/speech', {
      model: 'openai/tts-1',
      input: 'Grüße',
      voice: 'coral',
    })
    expect(speech).toMatchObject({ costNanoUsd: 5 * 15_000, priceVersion: expect.stringContaining('/tts-1') })
    const picture = { model: 'openai/dall-e-3', prompt: 'a cat', quality: 'hd', size: '1024x1792' }
    const image = await call(key, '/v1/images/generations', picture)
    expect(image).toMatchObject({
      costNanoUsd: 120_000_000,
      priceVersion: expect.stringContaining('/dall-e-3'),
    })
  })
})

describe('GET /prices and /prices/diff', () => {
  it('show what is configured and called, and who pays otherwise', async () => {
    const { body } = await api('GET', '/prices?provider=openai')
    const names = body.data.map(({ model }: { model: string }) => model)
    expect(names).toContain('gpt-4o-mini')
    expect(body.priceData).toEqual({ version: expect.any(String), since: expect.anything() })
    const { id } = await house.newOrganization('other')
    await api('PUT', `/organizations/${id}/prices`, {
      target: 'openai/gpt-4o',
      inputPerMillionUsd: 4,
      outputPerMillionUsd: 20,
    })
    const diff = (await api('GET', '/prices/diff')).body.data
    const inputOf = (organizationId: string | null) =>
      diff
        .find(
          (row: { organizationId: string | null; model: string }) =>
            row.organizationId === organizationId && row.model === 'gpt-4o',
        )
        ?.changes.find(({ part }: { part: string }) => part === 'inputPerMillionUsd')
    expect(inputOf(null)).toMatchObject({ fromUsd: '2.5', toUsd: '5', percent: 100 })
    expect(inputOf(id)).toMatchObject({ fromUsd: '5', toUsd: '4', percent: -20 })
    const own = (await api('GET', `/prices/diff?organizationId=${id}`)).body.data
    expect(own).toHaveLength(1)
  })

  it.each([
    [{ target: 'gpt-4o', inputPerMillionUsd: 1, outputPerMillionUsd: 1 }, 'target'],
    [{ target: 'nobody/gpt-4o', inputPerMillionUsd: 1, outputPerMillionUsd: 1 }, 'target'],
    [{ target: 'openai/gpt-4o', inputPerMillionUsd: 1 }, undefined],
    [{ target: 'openai/gpt-4o', inputPerMillionUsd: -1, outputPerMillionUsd: 1 }, 'inputPerMillionUsd'],
    [{ target: 'openai/gpt-4o', inputPerMillionUsd: '1e9', outputPerMillionUsd: 1 }, 'inputPerMillionUsd'],
    [{ target: 'openai/x', perImageUsd: 1, validFrom: '2020-01-01T00:00:00Z' }, 'validFrom'],
  ])('PUT refuses %j', async (body, param) => {
    const reply = await api('PUT', '/organizations/default/prices', body)
    expect(reply).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
    if (param !== undefined) expect(reply.body.error.param).toBe(param)
  })

  it('DELETE knows nothing of what is not there', async () => {
    expect((await api('DELETE', '/organizations/default/prices?target=openai/x')).status).toBe(404)
    expect((await api('GET', '/organizations/nobody/prices')).status).toBe(404)
  })
})
