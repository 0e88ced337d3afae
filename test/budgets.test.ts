import { afterEach, describe, expect, it } from 'vitest'
import { budgetMeter } from '../src/limits/meters.ts'
import { type Limits, ORGANIZATION, type Subject } from '../src/limits/policy.ts'
import type { MeterState } from '../src/limits/ports.ts'
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

function post(
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: 'openai/fixed-200-50',
      messages: [{ role: 'user', content: 'How many?' }],
      ...body,
    }),
    ...(signal === undefined ? {} : { signal }),
  })
}

async function send(body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await post(body, headers)
  const text = await response.text()
  const code = response.ok ? undefined : (JSON.parse(text) as { error: { code: string } }).error.code
  return { status: response.status, code, text }
}

/** Goes away as soon as the first bytes of the answer are here. */
async function leave(body: Record<string, unknown>): Promise<void> {
  const controller = new AbortController()
  const response = await post(body, {}, controller.signal)
  await response.body?.getReader().read()
  controller.abort()
}

async function organizationId(): Promise<string> {
  return (await house.gateway.identityStore.findOrganization('default'))?.id ?? ''
}

/** Sets limits and waits until they are in force. */
async function limit(subject: Subject, change: Partial<Limits>): Promise<void> {
  await house.gateway.policyStore.putLimits(await organizationId(), subject, change)
  await inForce()
}

async function budget(subject: Subject, calls: number): Promise<void> {
  await house.gateway.policyStore.putBudget(await organizationId(), subject, {
    limitNanoUsd: calls * CALL_NANO_USD,
  })
  await inForce()
}

/** Changes are heard in the order in which they were made. */
async function inForce(): Promise<void> {
  const { book } = house.gateway
  const id = await organizationId()
  const written = JSON.stringify(await house.gateway.policyStore.list(id))
  await expect
    .poll(() => JSON.stringify([...book.ofOrganization(id)].map(({ policy }) => policy)))
    .toBe(written)
}

async function spent(): Promise<number> {
  await house.ledger()
  const { rows } = await house.database.query<{ sum: string | null }>(
    'SELECT sum(cost_nano_usd)::text AS sum FROM ledger',
  )
  return Number(rows[0]?.sum ?? 0)
}

async function stateOf(subject: Subject): Promise<MeterState | undefined> {
  const policy = await house.gateway.policyStore.find(await organizationId(), subject)
  if (policy?.budget === undefined) return undefined
  const meter = budgetMeter(subject, policy.budget, Date.now())
  return (await house.gateway.counters.read(policy.organizationId, [meter]))[0]
}

/** Nothing is held any more, and what is used is what the ledger says. */
async function expectBooksToAgree(subject: Subject): Promise<void> {
  expect(await stateOf(subject)).toMatchObject({ held: 0, used: await spent() })
}

const MANY = Array.from({ length: 200 }, (_, index) => index)

describe('a budget for 50 calls', () => {
  it.each([
    ['whole answers', {}],
    ['whole answers with a cap far above what is written', { max_tokens: 1000 }],
    ['streams', { stream: true }],
    ['streams with a cap far above what is written', { stream: true, max_tokens: 1000 }],
  ])('is used and not overrun by 200 at once: %s', async (_name, body) => {
    house = await startGateway({ config: { prices: PRICES } })
    await budget(ORGANIZATION, 50)
    const sent = await Promise.all(MANY.map(() => send(body)))
    const refused = sent.filter(({ status }) => status !== 200)
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['budget_exhausted']))
    expect(await spent()).toBeLessThanOrEqual(50 * CALL_NANO_USD)
    expect(await spent()).toBeGreaterThanOrEqual(0.95 * 50 * CALL_NANO_USD)
    await expectBooksToAgree(ORGANIZATION)
  })

  it('is used and not overrun on three nested scopes, each of which fills up', async () => {
    house = await startGateway({ config: { prices: PRICES } })
    await budget(ORGANIZATION, 50)
    await budget({ scope: 'user', id: 'ann' }, 30)
    await budget({ scope: 'tag', id: 'deal=D-17' }, 10)
    const sent = await Promise.all(
      MANY.map((index) =>
        send(
          {},
          {
            'x-gatehouse-user': index % 2 === 0 ? 'ann' : 'bob',
            'x-gatehouse-tags': `deal=D-${15 + (index % 3)}`,
          },
        ),
      ),
    )
    const rows = await house.ledger()
    const calls = (test: (row: (typeof rows)[number]) => boolean) =>
      rows.filter(test).reduce((sum, row) => sum + row.costNanoUsd, 0) / CALL_NANO_USD
    expect(calls(() => true)).toBeLessThanOrEqual(50)
    expect(calls(() => true)).toBeGreaterThanOrEqual(47.5)
    expect(calls(({ userId }) => userId === 'ann')).toBeLessThanOrEqual(30)
    expect(calls(({ tags }) => tags.deal === 'D-17')).toBeLessThanOrEqual(10)
    // Each of the three may have had room for one shorter answer at its end.
    expect(sent.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(53)
    await expectBooksToAgree(ORGANIZATION)
  })

  it('is not overrun by callers who leave, who are charged for what was written', async () => {
    house = await startGateway({ config: { prices: PRICES } })
    await budget(ORGANIZATION, 50)
    const outcomes = await Promise.all(
      MANY.map((index) => (index % 2 === 0 ? send({ stream: true }) : leave({ stream: true }))),
    )
    expect(outcomes.length).toBe(200)
    expect(await spent()).toBeLessThanOrEqual(50 * CALL_NANO_USD)
    await expectBooksToAgree(ORGANIZATION)
  })

  it('is not overrun by clients that try again', async () => {
    // Its breaker would keep calls away from a provider that fails so often.
    house = await startGateway({ config: { prices: PRICES, breaker: { failures: 10_000 } } })
    await budget(ORGANIZATION, 50)
    await Promise.all(
      MANY.map(async (index) => {
        for (let tries = 0; tries < 3; tries++) {
          const headers: Record<string, string> = tries < index % 3 ? { 'x-sim': 'status=500' } : {}
          if ((await send({}, headers)).status === 200) return
        }
      }),
    )
    expect(await spent()).toBeLessThanOrEqual(50 * CALL_NANO_USD)
    expect(await spent()).toBeGreaterThanOrEqual(0.95 * 50 * CALL_NANO_USD)
    await expectBooksToAgree(ORGANIZATION)
  })

  it('ends a stream in an error event when the rest of it cannot be paid', async () => {
    house = await startGateway({
      config: {
        prices: { overrides: { 'openai/fixed-20-5000': { inputPerMillionUsd: 1, outputPerMillionUsd: 4 } } },
      },
    })
    await house.gateway.policyStore.putBudget(await organizationId(), ORGANIZATION, {
      limitNanoUsd: 8_000_000,
    })
    await inForce()
    const { status, text } = await send({ model: 'openai/fixed-20-5000', stream: true })
    expect(status).toBe(200)
    expect(text).toContain('"code":"budget_exhausted"')
    expect(text).not.toContain('[DONE]')
    expect(await spent()).toBeLessThanOrEqual(8_000_000)
    expect(await spent()).toBeGreaterThan(7_500_000)
    const [row] = await house.ledger()
    expect(row).toMatchObject({ errorCode: 'budget_exhausted', estimated: true })
    await expectBooksToAgree(ORGANIZATION)
  })

  it('lowers the output cap to what is affordable', async () => {
    house = await startGateway({
      config: {
        prices: { overrides: { 'openai/fixed-20-5000': { inputPerMillionUsd: 1, outputPerMillionUsd: 4 } } },
      },
    })
    await house.gateway.policyStore.putBudget(await organizationId(), ORGANIZATION, {
      limitNanoUsd: 8_000_000,
    })
    await inForce()
    const { status, text } = await send({ model: 'openai/fixed-20-5000' })
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({ choices: [{ finish_reason: 'length' }] })
    expect(await spent()).toBeLessThanOrEqual(8_000_000)
    await expectBooksToAgree(ORGANIZATION)
  })
})

describe('60 requests per minute', () => {
  it('lets exactly 60 of 100 at once pass and says when the next may', async () => {
    house = await startGateway({ config: { prices: PRICES } })
    await limit(ORGANIZATION, { requestsPerMinute: 60 })
    const responses = await Promise.all(MANY.slice(0, 100).map(() => post({})))
    const passed = responses.filter(({ status }) => status === 200)
    const refused = responses.filter(({ status }) => status === 429)
    expect([passed.length, refused.length]).toEqual([60, 40])
    expect(
      passed
        .map(({ headers }) => Number(headers.get('x-ratelimit-remaining-requests')))
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 60 }, (_, index) => index))
    for (const { headers } of refused) {
      expect(headers.get('x-ratelimit-limit-requests')).toBe('60')
      expect(headers.get('x-ratelimit-remaining-requests')).toBe('0')
      expect(headers.get('x-ratelimit-reset-requests')).toMatch(/^(?:[\d.]+s|1m0s)$/)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(50)
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    }
    expect(await refused[0]?.json()).toMatchObject({
      error: { code: 'requests_per_minute_exceeded', type: 'rate_limit_error' },
    })
  })
})
