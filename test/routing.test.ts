import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway({
    config: {
      models: {
        mix: {
          targets: [
            { provider: 'openai', model: 'echo', weight: 70 },
            { provider: 'anthropic', model: 'echo', weight: 30 },
          ],
        },
        talk: { targets: ['openai/echo'] },
        coder: { targets: ['anthropic/echo'] },
        small: {
          strategy: 'priority',
          targets: [
            { provider: 'openai', model: 'echo', contextTokens: 2000 },
            { provider: 'google', model: 'echo', lacks: ['tools'] },
            { provider: 'anthropic', model: 'echo' },
          ],
        },
      },
      tasks: { code: { model: 'coder' }, chat: { model: 'talk' } },
    },
  })
})
afterAll(() => house.close())

interface Attempt {
  readonly provider: string
  readonly reason: string
}

/** @returns the first attempt of a call, as its waterfall tells it */
async function call(body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Attempt> {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], ...body }),
  })
  await response.arrayBuffer()
  expect(response.status).toBe(200)
  await house.ledger()
  const shown = await fetch(`${house.url}/api/v1/requests/${response.headers.get('x-request-id')}`, {
    headers: { authorization: `Bearer ${house.adminKey}` },
  })
  const { attempts } = (await shown.json()) as { attempts: Attempt[] }
  const [first] = attempts
  if (first === undefined) throw new Error('The call was not tried.')
  return first
}

describe('a route', () => {
  it('draws by weight and says so in the waterfall', async () => {
    const { provider, reason } = await call({ model: 'mix' })
    expect(reason).toBe(`drawn by its weight of ${provider === 'openai' ? 70 : 30} in 100`)
  })

  it('keeps a session where it is', async () => {
    const providers = new Set<string>()
    for (let turn = 0; turn < 8; turn++)
      providers.add((await call({ model: 'mix' }, { 'x-gatehouse-session': 'one' })).provider)
    expect(providers.size).toBe(1)
  })

  it('leaves out of the first place what cannot take the call', async () => {
    expect((await call({ model: 'small' })).provider).toBe('openai')
    const messages = [{ role: 'user', content: 'word '.repeat(4000) }]
    expect((await call({ model: 'small', messages })).provider).toBe('google')
    const tools = [{ type: 'function', function: { name: 'f' } }]
    expect((await call({ model: 'small', messages, tools })).provider).toBe('anthropic')
  })
})

describe('the model auto', () => {
  it('goes by the task that the caller names', async () => {
    const { provider, reason } = await call({ model: 'auto' }, { 'x-gatehouse-task': 'code' })
    expect(provider).toBe('anthropic')
    expect(reason).toBe('task code, as the caller says; the only target of the route coder')
  })

  it('goes by the task that the text tells, else by chat', async () => {
    const messages = [{ role: 'user', content: 'Refactor this function for me' }]
    const told = await call({ model: 'auto', messages })
    expect([told.provider, told.reason]).toEqual([
      'anthropic',
      'task code, guessed by the word "refactor"; the only target of the route coder',
    ])
    expect((await call({ model: 'auto' })).provider).toBe('openai')
  })
})
