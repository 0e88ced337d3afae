import fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../config/load.ts'
import { routeSchema } from '../../config/schema/models.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import { makeExchange, makeIncoming } from '../../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../../routing/attempt.ts'
import { createResolver, type Resolver } from '../../routing/resolve.ts'
import {
  type OrganizationRoutes,
  openOrganizationRoutes,
} from '../../routing/strategy/organization-routes.ts'
import { Pace } from '../../routing/strategy/pace.ts'
import type { RouteStore, StoredRoute } from '../../routing/strategy/ports.ts'
import { createRouteDesk } from '../../routing/strategy/route-desk.ts'
import { registerRoutes } from './routes.ts'

const ORGANIZATIONS = new Map([
  ['org-1', 'org-1'],
  ['acme', 'org-1'],
  ['org-2', 'org-2'],
])
const identityStore = {
  async findOrganization(idOrSlug: string) {
    const id = ORGANIZATIONS.get(idOrSlug)
    return id === undefined ? undefined : { id }
  },
}

let app: FastifyInstance
let own: OrganizationRoutes
let resolver: Resolver
let pace: Pace

beforeAll(async () => {
  const { models } = parseConfig(
    {
      providers: { openai: { kind: 'openai' }, anthropic: { kind: 'anthropic' } },
      models: {
        chat: { targets: [{ provider: 'openai', model: 'a', weight: 3 }, 'anthropic/b'] },
      },
    },
    { knownKinds: ['openai', 'anthropic'] },
  )
  pace = new Pace()
  own = await openOrganizationRoutes({
    store: memoryStore(),
    parse: (settings) => routeSchema.parse(settings),
    onError(error) {
      throw error
    },
  })
  resolver = createResolver({
    routes: new Map(Object.entries(models)),
    routesOf: own.settingsOf,
    tasks: new Map(),
    providers: new Map([
      ['openai', {}],
      ['anthropic', {}],
    ]),
    serves: () => false,
    suggestions: () => [],
    random: () => 0,
    pace,
  })
  const desk = createRouteDesk({
    own,
    pace,
    resolver: () => resolver,
    providers: () => ['openai', 'anthropic'],
  })
  app = fastify()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, _, reply) =>
    error instanceof GatewayError
      ? reply.status(error.spec.status).send({ code: error.code, param: error.param, message: error.message })
      : reply.send(error),
  )
  registerRoutes(app, { identityStore } as unknown as Gateway, desk)
  await app.ready()
})
afterAll(async () => {
  await app.close()
  await own.close()
})
beforeEach(async () => {
  for (const { name } of own.list('org-1')) await own.remove('org-1', name)
})

function memoryStore(): RouteStore {
  const rows = new Map<string, StoredRoute>()
  return {
    async load(organizationId, onPage) {
      onPage(
        [...rows.values()].filter(
          (row) => organizationId === undefined || row.organizationId === organizationId,
        ),
      )
    },
    async put(organizationId, name, settings) {
      // As JSON, as a database keeps it.
      const row = {
        organizationId,
        name,
        settings: JSON.parse(JSON.stringify(settings)),
        updatedAt: new Date(0),
      }
      rows.set(`${organizationId}/${name}`, row)
      return row
    },
    remove: async (organizationId, name) => rows.delete(`${organizationId}/${name}`),
    watch: async () => async () => {},
  }
}

async function api(method: 'GET' | 'PUT' | 'DELETE', url: string, payload?: object) {
  const response = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) })
  const { body, statusCode: status } = response
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
  return { status, body: (body === '' ? null : JSON.parse(body)) as any }
}

function firstTarget(model: string, organizationId: string): string | undefined {
  const caller = { organizationId, teamId: null, keyId: null, user: null, models: null }
  const call = makeExchange({ caller, incoming: makeIncoming({ model }) })
  return resolver.resolve(call, () => true).targets[0]?.model
}

describe('/organizations/{id}/routes/{name}', () => {
  it('takes the shape of the configuration, and is in force at once for that organization alone', async () => {
    const put = await api('PUT', '/organizations/acme/routes/chat', {
      targets: [
        'anthropic/b',
        { provider: 'openai', model: 'c', weight: 2, tier: 'large', lacks: ['tools'] },
      ],
      strategy: 'priority',
      timeouts: { totalMs: 9000 },
    })
    expect(put.status).toBe(200)
    expect(put.body).toMatchObject({
      organizationId: 'org-1',
      name: 'chat',
      strategy: 'priority',
      affinity: null,
      fallback: true,
      retries: 2,
      hedgeAfterMs: null,
      timeouts: { totalMs: 9000, idleMs: null },
      shadow: null,
      cache: 'conservative',
      targets: [
        { provider: 'anthropic', model: 'b', weight: 1, tier: null, contextTokens: null, lacks: [] },
        { provider: 'openai', model: 'c', weight: 2, tier: 'large', lacks: ['tools'] },
      ],
    })
    expect([firstTarget('chat', 'org-1'), firstTarget('chat', 'org-2')]).toEqual(['b', 'a'])
    expect((await api('GET', '/organizations/org-1/routes/chat')).body).toEqual(put.body)
    expect((await api('GET', '/organizations/org-1/routes')).body).toEqual({
      data: [put.body],
      nextCursor: null,
    })
    expect((await api('DELETE', '/organizations/org-1/routes/chat')).status).toBe(204)
    expect((await api('GET', '/organizations/org-1/routes/chat')).body).toMatchObject({ code: 'not_found' })
    expect(firstTarget('chat', 'org-1')).toBe('a')
  })

  it('takes names with slashes', async () => {
    const url = `/organizations/org-1/routes/${encodeURIComponent('openai/gpt-4o')}`
    expect((await api('PUT', url, { targets: ['anthropic/b'] })).body.name).toBe('openai/gpt-4o')
    expect(firstTarget('openai/gpt-4o', 'org-1')).toBe('b')
    expect(firstTarget('openai/gpt-4o', 'org-2')).toBe('gpt-4o')
  })

  it.each([
    ['no targets', 'chat', {}],
    ['an unknown key', 'chat', { targets: ['openai/a'], retry: 2 }],
    ['a strategy that is none', 'chat', { targets: ['openai/a'], strategy: 'best' }],
    ['targets without weight', 'chat', { targets: [{ provider: 'openai', model: 'a', weight: 0 }] }],
    ['the name auto', 'auto', { targets: ['openai/a'] }],
    ['a name with blanks', 'a%20b', { targets: ['openai/a'] }],
  ])('refuses %s', async (_, name, body) => {
    expect((await api('PUT', `/organizations/org-1/routes/${name}`, body)).status).toBe(400)
    expect(own.list('org-1')).toEqual([])
  })

  it('names a provider that is not configured', async () => {
    const refused = await api('PUT', '/organizations/org-1/routes/chat', { targets: ['openai/a', 'opena/b'] })
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', param: 'targets.1.provider' },
    })
    const shadow = { provider: 'nobody', model: 'm', share: 0.1 }
    const second = await api('PUT', '/organizations/org-1/routes/chat', { targets: ['openai/a'], shadow })
    expect(second.body).toMatchObject({ param: 'shadow.provider' })
  })

  it.each(['GET', 'PUT', 'DELETE'] as const)(
    'knows no organization that is not there: %s',
    async (method) => {
      const body = method === 'PUT' ? { targets: ['openai/a'] } : undefined
      expect(await api(method, '/organizations/nobody/routes/chat', body)).toMatchObject({ status: 404 })
    },
  )
})

describe('GET /routes', () => {
  it('lists the routes in force with targets, weights and what was measured', async () => {
    const target = { provider: 'openai', model: 'a', reason: '' }
    const attempt = {
      ...newAttempt('x', 1, target, { version: 'v', known: true }, 0),
      dispatched: true,
      firstTokenMs: 250,
      endedMs: 1250,
      usage: { outputTokens: 50 },
    }
    pace.began(attempt)
    pace.ended(attempt, 1250)
    const { body } = await api('GET', '/routes')
    expect(body.data).toMatchObject([
      {
        name: 'chat',
        source: 'configuration',
        strategy: 'weighted',
        targets: [
          {
            provider: 'openai',
            weight: 3,
            share: 0.75,
            tier: 'medium',
            inFlight: 0,
            ttftMs: 250,
            tokensPerSecond: 50,
          },
          { provider: 'anthropic', weight: 1, share: 0.25, ttftMs: null, tokensPerSecond: null },
        ],
      },
    ])
  })

  it('shows an organization its own before those of the configuration', async () => {
    await api('PUT', '/organizations/org-1/routes/mine', { targets: ['openai/a'], strategy: 'priority' })
    const { body } = await api('GET', '/routes?organizationId=acme')
    expect(body.data.map(({ name, source }: { name: string; source: string }) => [name, source])).toEqual([
      ['mine', 'organization'],
      ['chat', 'configuration'],
    ])
    expect(body.data[0].targets[0].share).toBeNull()
    expect((await api('GET', '/routes?organizationId=nobody')).status).toBe(404)
  })
})
