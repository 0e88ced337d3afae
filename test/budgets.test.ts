import { afterEach, describe, expect, it } from 'vitest'
import { ORGANIZATION, type Subject } from '../src/limits/policy.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway
afterEach(() => house?.close())

/** 200 tokens at 1 $/M and 50 at 4 $/M. */
const CALL_NANO_USD = 400_000
const PRICES = {
  overrides: { 'openai/fixed-200-50': { inputPerMillionUsd: 1, outputPerMillionUsd: 4 } },
}

interface Sent {
  readonly status: number
  readonly code: string | undefined
  readonly text: string
}

async function send(body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: 'openai/fixed-200-50',
      messages: [{ role: 'user', content: 'How many?' }],
      ...body,
    }),
  })
  const text = await response.text()
  const code = response.ok ? undefined : (JSON.parse(text) as { error: { code: string } }).error.code
  return { status: response.status, code, text }
}

async function budget(subject: Subject, calls: number): Promise<void> {
  const organization = await house.gateway.identityStore.findOrganization('default')
  await house.gateway.policyStore.putBudget(organization?.id ?? '', subject, {
    limitNanoUsd: calls * CALL_NANO_USD,
  })
}

async function spent(): Promise<number> {
  const rows = await house.ledger()
  return rows.reduce((sum, row) => sum + row.costNanoUsd, 0)
}

describe('a budget for 50 calls', () => {
  it.each([
    ['whole answers', {}],
    ['whole answers with a cap far above what is written', { max_tokens: 1000 }],
    ['streams', { stream: true }],
  ])('is used and not overrun by 200 at once: %s', async (_name, body) => {
    house = await startGateway({ config: { prices: PRICES } })
    await budget(ORGANIZATION, 50)
    const started = performance.now()
    const sent = await Promise.all(
      Array.from({ length: 200 }, (_, index) => send({ ...body, user: `user-${index}` })),
    )
    console.log(performance.now() - started, 'ms')
    const refused = sent.filter(({ status }) => status !== 200)
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['budget_exhausted']))
    expect(await spent()).toBeLessThanOrEqual(50 * CALL_NANO_USD)
    expect(await spent()).toBeGreaterThanOrEqual(0.95 * 50 * CALL_NANO_USD)
  })
})
