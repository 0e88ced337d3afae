import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ORGANIZATION, type Subject } from '../src/limits/policy.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

const NOW = Date.UTC(2026, 1, 10, 12)
const FIXED = 'openai/fixed-200-50'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway({
    clock: { now: () => NOW, monotonicMs: () => performance.now() },
    config: {
      prices: { overrides: { [FIXED]: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 } } },
      budgets: { default: { monthlyLimitUsd: 12.5, alertAt: [0.5] } },
      limits: { default: { costPerDayUsd: 3.25 } },
    },
  })
})
afterAll(() => house.close())

/** 200 tokens for 1 USD a million, 50 for 2. */
const CALL_NANO_USD = 300_000

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

async function call(key: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify({
      model: FIXED,
      max_tokens: 50,
      messages: [{ role: 'user', content: 'hello' }],
    }),
  })
  await response.arrayBuffer()
  expect(response.status).toBe(200)
}

/** An organization with a team, a key of it, and the paths of all five scopes. */
async function newSubjects(name: string) {
  const { id, key } = await house.newOrganization(name)
  const team = (await api('POST', `/organizations/${id}/teams`, { name: 'team' })).body.id as string
  const issued = (await api('POST', `/organizations/${id}/keys`, { name: 'key', teamId: team })).body
  const paths = {
    organization: `/organizations/${id}`,
    team: `/teams/${team}`,
    key: `/keys/${issued.id}`,
    user: `/users/${id}/${encodeURIComponent('Ümit/1')}`,
    tag: `/tags/${id}/${encodeURIComponent('deal=D=17, ß')}`,
  }
  return { id, key, team, teamKey: issued.key as string, keyId: issued.id as string, paths }
}

describe('a new organization', () => {
  it('starts with the limits and the budget of the configuration', async () => {
    const { id } = (await api('POST', '/organizations', { name: 'Newcomer' })).body
    expect((await api('GET', `/organizations/${id}/limits`)).body).toMatchObject({
      organizationId: id,
      scope: 'organization',
      subject: null,
      requestsPerMinute: 60,
      tokensPerMinute: null,
      tokensPerHour: 100_000,
      costPerDayUsd: '3.25',
      costPerDayNanoUsd: 3_250_000_000,
      concurrentRequests: null,
      onLimit: 'reject',
      failClosed: false,
    })
    expect((await api('GET', '/organizations/newcomer/budget')).body).toEqual({
      organizationId: id,
      scope: 'organization',
      subject: null,
      monthlyLimitUsd: '12.5',
      limitUsd: '12.5',
      limitNanoUsd: 12_500_000_000,
      spentUsd: '0',
      spentNanoUsd: 0,
      heldUsd: '0',
      heldNanoUsd: 0,
      remainingUsd: '12.5',
      remainingNanoUsd: 12_500_000_000,
      periodStart: '2026-02-01T00:00:00.000Z',
      periodEnd: '2026-03-01T00:00:00.000Z',
      period: 'month',
      alertAt: [0.5],
      hardLimit: true,
    })
  })

  it('has no rate limits where it is the one of the first start', async () => {
    const limits = (await api('GET', '/organizations/default/limits')).body
    expect(limits).toMatchObject({ requestsPerMinute: null, tokensPerHour: null, costPerDayUsd: null })
    expect(Object.values(limits.state)).toEqual([null, null, null, null, null])
    expect((await api('GET', '/organizations/default/budget')).body.limitUsd).toBe('12.5')
  })

  it('is not made at all where it cannot be given them', async () => {
    await house.database.query(
      `ALTER TABLE budgets ADD CONSTRAINT not_now CHECK (organization_id <> '' AND limit_nano_usd <> 12500000000) NOT VALID`,
    )
    try {
      expect((await api('POST', '/organizations', { name: 'Half', slug: 'half' })).status).toBe(500)
    } finally {
      await house.database.query('ALTER TABLE budgets DROP CONSTRAINT not_now')
    }
    expect((await api('GET', '/organizations/half')).status).toBe(404)
  })
})

describe('PUT …/limits', () => {
  it.each(['organization', 'team', 'key', 'user', 'tag'] as const)(
    'sets those of a %s, keeps what is left out, and takes null for no limit',
    async (scope) => {
      const { id, paths } = await newSubjects(`Limits of a ${scope}`)
      const path = `${paths[scope]}/limits`
      const onLimit = { queueMs: 2000, queueMax: 100 }
      const set = await api('PUT', path, { requestsPerMinute: 5, costPerDayUsd: '0.000000001', onLimit })
      expect(set).toMatchObject({
        status: 200,
        body: { organizationId: id, scope, requestsPerMinute: 5, costPerDayNanoUsd: 1, onLimit },
      })
      const changed = await api('PUT', path, {
        tokensPerMinute: 0,
        requestsPerMinute: null,
        failClosed: true,
      })
      expect(changed.body).toMatchObject({
        requestsPerMinute: null,
        tokensPerMinute: 0,
        costPerDayNanoUsd: 1,
        onLimit,
        failClosed: true,
      })
      expect((await api('GET', path)).body).toEqual(changed.body)
      expect((await api('PUT', path, { onLimit: 'reject' })).body.onLimit).toBe('reject')
      expect((await api('DELETE', path)).status).toBe(204)
      expect((await api('GET', path)).body).toMatchObject({ tokensPerMinute: null, costPerDayUsd: null })
    },
  )

  it('counts what is used and held under way', async () => {
    const { id, paths } = await newSubjects('Counted')
    const path = `${paths.organization}/limits`
    await api('PUT', path, { requestsPerMinute: 5, concurrentRequests: 2, costPerDayUsd: 1 })
    const policy = await house.gateway.policyStore.find(id, ORGANIZATION)
    if (policy === undefined) throw new Error('It was just set.')
    const { metersOf } = await import('../src/limits/meters.ts')
    const amounts = { requests: 1, tokens: 10, costNanoUsd: 400_000_000 }
    const meters = metersOf(policy, NOW)
    for (const holdId of ['one', 'two']) {
      await house.gateway.counters.take({ organizationId: id, holdId, meters, amounts, leaseMs: 60_000 })
    }
    await house.gateway.counters.settle(id, 'one', { ...amounts, costNanoUsd: 300_000_000 })
    expect((await api('GET', path)).body.state).toMatchObject({
      requestsPerMinute: {
        limit: 5,
        used: 1,
        held: 1,
        remaining: 3,
        resetsAt: new Date(NOW + 60_000).toISOString(),
      },
      tokensPerHour: null,
      costPerDayUsd: {
        limit: '1',
        used: '0.3',
        held: '0.4',
        remaining: '0.3',
        remainingNanoUsd: 300_000_000,
      },
      concurrentRequests: { limit: 2, used: 0, held: 1, remaining: 1, resetsAt: null },
    })
    await house.gateway.counters.release(id, 'two')
  })

  it.each([
    ['an unknown field', { requestsPerSecond: 1 }],
    ['a negative number', { requestsPerMinute: -1 }],
    ['half a call', { concurrentRequests: 0.5 }],
    ['more than counters count', { tokensPerHour: 2 ** 53 }],
    ['a text for a number', { tokensPerMinute: '5' }],
    ['less than a nano-dollar', { costPerDayUsd: '0.0000000001' }],
    ['a sum that is not exact', { costPerDayUsd: 0.1 + 0.2 }],
    ['an exponent', { costPerDayUsd: '1e3' }],
    ['a debt', { costPerDayUsd: -1 }],
    ['a queue without a bound', { onLimit: { queueMs: 5 } }],
    ['another behaviour', { onLimit: 'wait' }],
  ])('refuses %s', async (_, body) => {
    const refused = await api('PUT', '/organizations/default/limits', body)
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
  })

  it.each([
    '/organizations/nobody',
    '/teams/nobody',
    '/keys/nobody',
    '/users/nobody/somebody',
    '/tags/nobody/deal=1',
  ])('knows no %s', async (path) => {
    for (const [method, body] of [['GET'], ['PUT', {}], ['DELETE']] as const) {
      for (const what of ['limits', 'budget']) {
        expect(await api(method, `${path}/${what}`, body)).toMatchObject({
          status: 404,
          body: { error: { code: 'not_found' } },
        })
      }
    }
  })

  it('refuses a tag without a value', async () => {
    expect((await api('GET', '/tags/default/deal/limits')).status).toBe(400)
  })

  it('asks for the admin key', async () => {
    const response = await fetch(`${house.url}/api/v1/organizations/default/limits`)
    expect(response.status).toBe(401)
  })
})

describe('PUT …/budget', () => {
  it.each([
    [50, 50_000_000_000],
    ['50.000000001', 50_000_000_001],
    [0.1, 100_000_000],
    ['0', 0],
    ['9000000', 9_000_000_000_000_000],
    [8_999_999.123456789, 8_999_999_123_456_789],
  ])('takes %j US dollars for %i nano-dollars', async (monthlyLimitUsd, nano) => {
    const { body } = await api('PUT', '/users/default/exact/budget', { monthlyLimitUsd })
    expect(body.limitNanoUsd).toBe(nano)
  })

  it.each([
    ['day', '2026-02-10T00:00:00.000Z', '2026-02-11T00:00:00.000Z'],
    ['week', '2026-02-09T00:00:00.000Z', '2026-02-16T00:00:00.000Z'],
    ['month', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
    ['quarter', '2026-01-01T00:00:00.000Z', '2026-04-01T00:00:00.000Z'],
    ['year', '2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ])('begins anew with each %s', async (period, periodStart, periodEnd) => {
    const { body } = await api('PUT', '/users/default/periodic/budget', { period })
    expect(body).toMatchObject({ period, periodStart, periodEnd })
  })

  it('repeats a period of its own with its own length', async () => {
    const period = { start: '2026-01-01T10:30:00.000Z', end: '2026-01-08T10:30:00.000Z' }
    const { body } = await api('PUT', '/users/default/custom/budget', { period })
    expect(body).toMatchObject({
      period,
      periodStart: '2026-02-05T10:30:00.000Z',
      periodEnd: '2026-02-12T10:30:00.000Z',
    })
  })

  it('keeps what is left out and sorts its thresholds', async () => {
    const path = '/users/default/kept/budget'
    await api('PUT', path, { monthlyLimitUsd: 5, alertAt: [1, 0.25, 1], hardLimit: false, period: 'week' })
    const kept = { limitUsd: '5', alertAt: [0.25, 1], hardLimit: false, period: 'week' }
    expect((await api('PUT', path, {})).body).toMatchObject(kept)
    expect((await api('PUT', path, { monthlyLimitUsd: null })).body).toMatchObject({
      ...kept,
      limitUsd: null,
      remainingUsd: null,
    })
    expect((await api('DELETE', path)).status).toBe(204)
    expect((await api('GET', path)).body).toMatchObject({ limitUsd: null, hardLimit: true, period: 'month' })
  })

  it.each([
    ['an unknown field', { limitUsd: 5 }],
    ['a threshold in percent', { alertAt: [80] }],
    ['a period without an end', { period: { start: '2026-01-01T00:00:00Z' } }],
    [
      'a period that ends before it starts',
      { period: { start: '2026-01-02T00:00:00Z', end: '2026-01-01T00:00:00Z' } },
    ],
    ['a period that is none', { period: 'fortnight' }],
  ])('refuses %s', async (_, body) => {
    expect((await api('PUT', '/organizations/default/budget', body)).status).toBe(400)
  })
})

describe('GET …/budget', () => {
  it('begins a budget that is set in the middle of its period with what was spent already', async () => {
    const { paths, teamKey } = await newSubjects('Late')
    const headers = {
      'x-gatehouse-user': encodeURIComponent('Ümit/1'),
      'x-gatehouse-tags': 'deal=D-17',
    }
    await call(teamKey, headers)
    await call(teamKey, headers)
    const id = paths.organization.split('/').at(-1)
    const spent = [
      paths.organization,
      paths.team,
      paths.key,
      `/users/${id}/${encodeURIComponent(headers['x-gatehouse-user'])}`,
      `/tags/${id}/deal=D-17`,
    ]
    for (const path of spent) {
      const set = await api('PUT', `${path}/budget`, { monthlyLimitUsd: 1 })
      expect(set.body).toMatchObject({ spentNanoUsd: 2 * CALL_NANO_USD, remainingUsd: '0.9994' })
      // In the counters too, which are what refuses.
      const again = await api('PUT', `${path}/budget`, { monthlyLimitUsd: 0.0006 })
      expect(again.body).toMatchObject({ spentNanoUsd: 2 * CALL_NANO_USD, remainingUsd: '0' })
    }
    const refused = await fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${teamKey}` },
      body: JSON.stringify({ model: FIXED, max_tokens: 50, messages: [{ role: 'user', content: 'hello' }] }),
    })
    expect(await refused.json()).toMatchObject({ error: { code: 'budget_exhausted' } })
  })

  it('says what was spent in the month where no budget is set', async () => {
    const { paths, teamKey } = await newSubjects('Unlimited')
    await call(teamKey)
    expect((await api('GET', `${paths.team}/budget`)).body).toMatchObject({
      limitUsd: null,
      remainingUsd: null,
      spentUsd: '0.0003',
      periodStart: '2026-02-01T00:00:00.000Z',
    })
  })

  it('a cost of a day that is limited anew begins with that of the last day', async () => {
    const { paths, teamKey } = await newSubjects('Daily')
    await call(teamKey)
    const { body } = await api('PUT', `${paths.team}/limits`, { costPerDayUsd: 1 })
    expect(body.state.costPerDayUsd).toMatchObject({ used: '0.0003', remaining: '0.9997' })
    await call(teamKey)
    const changed = await api('PUT', `${paths.team}/limits`, { costPerDayUsd: 2 })
    expect(changed.body.state.costPerDayUsd).toMatchObject({ used: '0.0006', remaining: '1.9994' })
  })
})

describe('GET /organizations/{id}/policies', () => {
  it('lists all that is set, wide scopes first, page by page', async () => {
    const { id, paths, teamKey } = await newSubjects('Listed')
    await api('PUT', `${paths.tag}/limits`, { requestsPerMinute: 1 })
    await api('PUT', `${paths.team}/budget`, { monthlyLimitUsd: 1 })
    await call(teamKey)
    const listed = (await api('GET', `/organizations/${id}/policies`)).body
    expect(listed.nextCursor).toBeNull()
    expect(listed.data).toMatchObject([
      {
        scope: 'organization',
        subject: null,
        limits: null,
        budget: { limitUsd: '12.5', spentUsd: '0.0003' },
      },
      { scope: 'team', limits: null, budget: { limitUsd: '1', spentUsd: '0.0003' } },
      { scope: 'tag', subject: 'deal=D=17, ß', limits: { requestsPerMinute: 1 }, budget: null },
    ])
    const seen: unknown[] = []
    for (let cursor: string | null = '0'; cursor !== null; ) {
      const page: { data: unknown[]; nextCursor: string | null } = (
        await api('GET', `/organizations/${id}/policies?limit=1&cursor=${cursor}`)
      ).body
      seen.push(...page.data)
      cursor = page.nextCursor
    }
    expect(seen).toEqual(listed.data)
    expect((await api('GET', '/organizations/nobody/policies')).status).toBe(404)
  })
})

describe('a change by hand', () => {
  it('is what the API says, and what the data plane goes by within a second', async () => {
    const { id, paths } = await newSubjects('By hand')
    const book = house.gateway.book
    const setTo = async (subject: Subject, fits: (limit: number | null | undefined) => boolean) => {
      for (;;) {
        if (fits(book.find(id, subject)?.policy.limits?.requestsPerMinute)) return
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const { database } = house
    await database.query(
      `INSERT INTO ai_rate_limits (organization_id, limit_type, limit_value) VALUES ($1, 'requests_per_minute', 7)`,
      [id],
    )
    expect((await api('GET', `${paths.organization}/limits`)).body.requestsPerMinute).toBe(7)
    await setTo(ORGANIZATION, (limit) => limit === 7)
    await database.query('DELETE FROM limits WHERE organization_id = $1', [id])
    await setTo(ORGANIZATION, (limit) => limit === undefined)
    await database.query(
      `UPDATE ai_budgets SET monthly_limit_usd = 20.5, alert_threshold = 0.9 WHERE organization_id = $1`,
      [id],
    )
    expect((await api('GET', `${paths.organization}/budget`)).body).toMatchObject({
      limitUsd: '20.5',
      alertAt: [0.9],
    })
  })
})
