import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway({
    config: {
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

async function ask(key: string, model: string) {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }),
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
