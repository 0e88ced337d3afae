import fastify from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/support/command.ts'

/** The control API, as far as the command asks it. */
const app = fastify()
const PERCENTILES = { p50: 12, p95: 34, p99: 56 }
const TRAFFIC = { calls: 7, errors: 5, faults: { server: 5 }, latencyMs: PERCENTILES, ttftMs: PERCENTILES }
const PROVIDER = {
  name: 'openai',
  kind: 'openai',
  health: 'unhealthy',
  ...TRAFFIC,
  breaker: {
    state: 'open',
    failures: 5,
    reason: '5 failures in a row, the last: server',
    until: '2026-11-21T12:00:30.000Z',
    heldByOperator: false,
    targets: [{ model: 'gpt-4o', state: 'closed', failures: 0, pausedUntil: '2026-11-21T12:00:09.000Z' }],
  },
  targets: [{ model: 'gpt-4o', health: 'degraded', ...TRAFFIC, breaker: { state: 'closed', failures: 0 } }],
}
let asked: unknown[] = []
let env: Readonly<Record<string, string>> = {}

beforeAll(async () => {
  app.get('/livez', async () => ({}))
  app.get('/api/v1/providers', async () => ({ data: [PROVIDER] }))
  app.get<{ Params: { name: string } }>('/api/v1/providers/:name', async ({ params }, reply) =>
    params.name === 'openai' ? PROVIDER : reply.status(404).send({ error: { message: 'There is none.' } }),
  )
  app.post<{ Params: { name: string }; Body: { state: string } }>(
    '/api/v1/providers/:name/breaker',
    async ({ params, body }) => {
      asked.push([params.name, body])
      return { ...PROVIDER, breaker: { ...PROVIDER.breaker, state: body.state } }
    },
  )
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  env = { GATEHOUSE_PORT: new URL(url).port, GATEHOUSE_ADMIN_KEY: 'an-admin-key-for-tests-only-0000' }
})
afterAll(() => app.close())
beforeEach(() => {
  asked = []
})

const run = (...words: string[]) => runCommand(['providers', ...words], { cwd: '/', env })

describe('gatehouse providers', () => {
  it('lists providers, and below each the models that have something to say', async () => {
    const { code, stdout } = await run()
    expect(code).toBe(0)
    expect(stdout).toMatch(/^openai +openai +unhealthy +open +5 +7 +5 +12 +34 +5 failures in a row/m)
    expect(stdout).toMatch(/until 2026-11-21T12:00:30\.000Z$/m)
    expect(stdout).toMatch(
      /^ {2}gpt-4o +degraded +closed +0 .*rate-limited until 2026-11-21T12:00:09\.000Z$/m,
    )
    expect(JSON.parse((await run('list', '--json')).stdout)).toEqual([PROVIDER])
  })

  it('resets and opens a breaker', async () => {
    expect(await run('reset', 'openai')).toMatchObject({ code: 0, stdout: 'openai: closed\n' })
    expect(JSON.parse((await run('open', 'openai', '--json')).stdout)).toMatchObject({
      breaker: { state: 'open' },
    })
    expect(asked).toEqual([
      ['openai', { state: 'closed' }],
      ['openai', { state: 'open' }],
    ])
  })

  it('does nothing in a dry run, and knows a wrong name', async () => {
    expect(await run('reset', 'openai', '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'Would close the breaker of openai, which is open.\n',
    })
    const { stdout } = await run('open', 'openai', '--dry-run', '--json')
    expect(JSON.parse(stdout)).toEqual({
      dryRun: true,
      method: 'POST',
      path: '/providers/openai/breaker',
      body: { state: 'open' },
    })
    expect(await run('reset', 'nobody', '--dry-run')).toMatchObject({ code: 1, stderr: 'There is none.\n' })
    expect(asked).toEqual([])
  })

  it('wants a name', async () => {
    expect(await run('reset')).toMatchObject({ code: 2 })
  })
})
