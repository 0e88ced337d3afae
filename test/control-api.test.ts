import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway()
})
afterAll(() => house.close())

async function api(method: string, path: string, body?: unknown, key = house.adminKey) {
  const response = await fetch(`${house.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await response.text()
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as any }
}

async function ask(key: string, model = 'openai/gpt-4o-mini', headers: Record<string, string> = {}) {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }),
  })
  await response.arrayBuffer()
  return response
}

describe('organizations and teams', () => {
  it('are made, found, listed page by page, changed and deleted', async () => {
    const made = await api('POST', '/organizations', { name: 'Löwen & Co' })
    expect(made).toMatchObject({ status: 201, body: { name: 'Löwen & Co', slug: 'lowen-co' } })
    const { id } = made.body
    expect((await api('GET', `/organizations/${id}`)).body).toEqual(made.body)
    expect((await api('GET', '/organizations/lowen-co')).body).toEqual(made.body)
    expect(await api('POST', '/organizations', { name: 'x', slug: 'lowen-co' })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    })
    expect((await api('PATCH', `/organizations/${id}`, { name: 'Löwen' })).body).toMatchObject({
      name: 'Löwen',
    })

    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { body: { data: { id: string }[]; nextCursor: string | null } } = await api(
        'GET',
        `/organizations?limit=1${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      seen.push(...page.body.data.map((row) => row.id))
      cursor = page.body.nextCursor
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toContain(id)

    const team = await api('POST', `/organizations/${id}/teams`, { name: 'research' })
    expect(team.status).toBe(201)
    const path = `/organizations/${id}/teams/${team.body.id}`
    expect((await api('PATCH', path, { name: 'search' })).body).toMatchObject({
      name: 'search',
      organizationId: id,
    })
    expect((await api('GET', `/organizations/${id}/teams`)).body.data).toHaveLength(1)
    const { id: other } = await house.newOrganization('other')
    expect((await api('GET', `/organizations/${other}/teams/${team.body.id}`)).status).toBe(404)
    expect((await api('DELETE', path)).status).toBe(204)
    expect((await api('GET', path)).status).toBe(404)

    const { key } = (await api('POST', `/organizations/${id}/keys`, { name: 'k' })).body
    expect((await ask(key)).status).toBe(200)
    expect((await api('DELETE', `/organizations/${id}`)).status).toBe(204)
    expect((await ask(key)).status).toBe(401)
    expect((await api('GET', `/organizations/${id}`)).status).toBe(404)
  })

  it.each([
    ['/organizations', {}, 'name'],
    ['/organizations', { name: 5 }, 'name'],
    ['/organizations', { name: 'x', colour: 'red' }, undefined],
    ['/organizations', { name: 'x', slug: 'Not A Slug' }, 'slug'],
    ['/organizations/default/keys', { name: 'x', ipAllow: ['10.0.0.0/99'] }, 'ipAllow'],
    ['/organizations/default/keys', { name: 'x', expiresAt: 'tomorrow' }, 'expiresAt'],
  ])('POST %s refuses %j and names the field', async (path, body, param) => {
    const reply = await api('POST', path, body)
    expect(reply).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
    if (param !== undefined) expect(reply.body.error.param).toBe(param)
  })
})

describe('keys', () => {
  it('are shown once, rotated with grace, and refused within a second of being revoked', async () => {
    const issued = await api('POST', '/organizations/default/keys', {
      name: 'ci',
      models: ['openai/*'],
      user: 'bot',
    })
    expect(issued.status).toBe(201)
    const { id, key } = issued.body
    expect(JSON.stringify((await api('GET', '/organizations/default/keys')).body)).not.toContain(key)
    expect((await api('GET', `/keys/${id}`)).body).toMatchObject({ prefix: key.slice(0, 8), user: 'bot' })
    expect((await ask(key)).status).toBe(200)
    expect((await ask(key, 'anthropic/claude-sonnet-4-5')).status).toBe(403)

    const rotated = await api('POST', `/keys/${id}/rotate`, { graceSeconds: 3600 })
    expect(rotated.status).toBe(201)
    expect([(await ask(key)).status, (await ask(rotated.body.key)).status]).toEqual([200, 200])
    expect((await api('DELETE', `/keys/${id}`)).status).toBe(204)
    expect([(await ask(key)).status, (await ask(rotated.body.key)).status]).toEqual([401, 200])
    expect((await api('DELETE', '/keys/nope')).status).toBe(404)
  })

  it('are refused at once when somebody revokes them by hand, in SQL', async () => {
    const { id, key } = (await api('POST', '/organizations/default/keys', { name: 'by hand' })).body
    expect((await ask(key)).status).toBe(200)
    const startedMs = performance.now()
    await house.database.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [id])
    while ((await ask(key)).status !== 401) expect(performance.now() - startedMs).toBeLessThan(1000)
  })
})

describe('access', () => {
  it.each(['/organizations', '/usage', '/requests', '/providers', '/health', '/keys/x'])(
    '%s needs the admin key',
    async (path) => {
      for (const key of ['', 'nonsense', house.key]) {
        expect(await api('GET', path, undefined, key)).toMatchObject({
          status: 401,
          body: { error: { code: 'invalid_api_key' } },
        })
      }
    },
  )

  it('probes and documentation need none', async () => {
    for (const path of ['/livez', '/readyz', '/startupz', '/docs', '/api/openapi.json', '/']) {
      expect((await fetch(house.url + path)).status, path).toBe(200)
    }
  })
})

describe('usage and requests', () => {
  it('add up by every group, and find one call as a waterfall', async () => {
    const { id, key } = await house.newOrganization('books')
    const first = await ask(key, 'openai/gpt-4o-mini', {
      'x-gatehouse-user': 'ann',
      'x-gatehouse-session': 's1',
      'x-gatehouse-tags': 'deal=D-17,cycle=3',
      'x-gatehouse-task': 'chat',
    })
    await ask(key, 'anthropic/claude-sonnet-4-5', {
      'x-gatehouse-user': 'bob',
      'x-gatehouse-tags': 'deal=D-18',
    })
    await ask(key, 'no-such-model')
    const by = async (groupBy: string) =>
      (await api('GET', `/usage?organizationId=${id}&groupBy=${groupBy}`)).body.data as Record<
        string,
        unknown
      >[]

    const [total] = await by('')
    expect(total).toMatchObject({ requests: 3, errors: 1, estimated: 0 })
    for (const group of [
      'organization',
      'team',
      'key',
      'user',
      'session',
      'provider',
      'model',
      'operation',
      'task',
      'tag:deal',
    ]) {
      const rows = await by(group)
      const sum = (field: string) => rows.reduce((all, row) => all + Number(row[field]), 0)
      expect(sum('requests'), group).toBe(3)
      expect(sum('costNanoUsd'), group).toBe(total?.costNanoUsd)
      expect(sum('tokensTotal'), group).toBe(total?.tokensTotal)
    }
    expect((await by('tag:deal')).map((row) => row['tag:deal']).toSorted()).toEqual(['D-17', 'D-18', null])
    expect(await by('user')).toContainEqual(expect.objectContaining({ user: 'ann', requests: 1 }))
    expect((await api('GET', '/usage?groupBy=colour')).status).toBe(400)

    const requestId = first.headers.get('x-request-id') ?? ''
    const { body } = await api('GET', `/requests/${requestId}`)
    expect(body).toMatchObject({
      id: requestId,
      organizationId: id,
      user: 'ann',
      session: 's1',
      task: 'chat',
      tags: { deal: 'D-17', cycle: '3' },
      status: 200,
      attempts: [
        { number: 1, provider: 'openai', model: 'gpt-4o-mini', status: 200, reason: 'named by the caller' },
      ],
    })
    expect(body.stages.map((stage: { name: string }) => stage.name)).toEqual([
      'identify',
      'switch',
      'route',
      'admit',
      'references',
    ])
    expect(body.costUsd).toBe(first.headers.get('x-gatehouse-cost-usd'))
    expect(body.waterfall.attempts[0].upstreamRequestId).toBeTruthy()

    const list = await api('GET', `/requests?organizationId=${id}&status=404`)
    expect(list.body.data).toMatchObject([
      { errorCode: 'model_not_found', provider: null, requestedModel: 'no-such-model' },
    ])
    expect((await api('GET', '/requests/req_nope')).status).toBe(404)
  })
})

describe('providers and health', () => {
  it('say what real traffic found', async () => {
    await ask(house.key)
    const { body } = await api('GET', '/providers')
    const openai = body.data.find((row: { name: string }) => row.name === 'openai')
    expect(openai).toMatchObject({
      kind: 'openai',
      health: 'healthy',
      breaker: { state: 'closed', failures: 0 },
    })
    expect(openai.latencyMs.p50).toBeGreaterThan(0)
    const health = await api('GET', '/health')
    expect(health).toMatchObject({
      status: 200,
      body: {
        status: 'healthy',
        components: { database: { status: 'healthy' }, ledger: { status: 'healthy' } },
      },
    })
    const internal = await fetch(`${house.url}/api/internal/llm/health`, {
      headers: { authorization: `Bearer ${house.adminKey}` },
    })
    expect(await internal.json()).toMatchObject({ checks: { errorRate: { status: 'healthy' } } })
  })
})
