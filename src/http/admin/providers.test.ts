import fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { describe, expect, it } from 'vitest'
import { createBreakerBoard } from '../../routing/breakers/board.ts'
import { HealthBook } from '../../routing/provider-health.ts'
import { reportProviders } from '../../telemetry/health.ts'
import { registerProviders } from './providers.ts'

const CLOCK = { now: () => 1_700_000_000_000, monotonicMs: () => 1000 }

async function start() {
  const board = createBreakerBoard({
    settings: { failures: 2, windowSeconds: 60, openSeconds: 30, halfOpenCalls: 1 },
    clock: CLOCK,
    random: () => 0,
    onChange: () => undefined,
  })
  const book = new HealthBook()
  const app = fastify()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  registerProviders(app, {
    providerStates: () =>
      reportProviders(new Map([['p', { name: 'p', kind: { name: 'openai' } }]]), book, 1000, board.state),
    breakers: { force: async (name, state) => board.force(name, state) },
  })
  const ask = async (method: 'GET' | 'POST', url: string, payload?: object) => {
    const response = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) })
    return { status: response.statusCode, body: response.json() }
  }
  return { ask, board, book }
}

describe('/providers', () => {
  it('show what is known of each, in the shape that is documented', async () => {
    const { ask, board, book } = await start()
    for (let i = 0; i < 2; i++) {
      board.note({ provider: 'p', model: 'm' }, 'timeout', { durationMs: 10 })
      book.note('p', 'm', { atMs: 1000, latencyMs: 10, firstTokenMs: undefined, fault: 'timeout' })
    }
    const { body } = await ask('GET', '/providers')
    expect(body.data).toEqual([
      {
        name: 'p',
        kind: 'openai',
        health: 'unhealthy',
        calls: 2,
        errors: 2,
        faults: { timeout: 2 },
        latencyMs: { p50: null, p95: null, p99: null },
        ttftMs: { p50: null, p95: null, p99: null },
        breaker: {
          state: 'open',
          failures: 2,
          reason: '2 failures in a row, the last: timeout',
          until: '2023-11-14T22:13:50.000Z',
          heldByOperator: false,
          targets: [],
        },
        targets: [
          {
            model: 'm',
            health: 'unhealthy',
            calls: 2,
            errors: 2,
            faults: { timeout: 2 },
            latencyMs: { p50: null, p95: null, p99: null },
            ttftMs: { p50: null, p95: null, p99: null },
            breaker: { state: 'closed', failures: 0 },
          },
        ],
      },
    ])
    expect((await ask('GET', '/providers/p')).body).toEqual(body.data[0])
  })

  it('open and close a breaker', async () => {
    const { ask } = await start()
    const opened = await ask('POST', '/providers/p/breaker', { state: 'open' })
    expect(opened).toMatchObject({ status: 200, body: { breaker: { state: 'open', heldByOperator: true } } })
    const closed = await ask('POST', '/providers/p/breaker', { state: 'closed' })
    expect(closed).toMatchObject({ status: 200, body: { breaker: { state: 'closed' } } })
  })

  it('refuse another state, and a provider that is none', async () => {
    const { ask, board } = await start()
    expect((await ask('POST', '/providers/p/breaker', { state: 'half-open' })).status).toBe(400)
    expect((await ask('POST', '/providers/p/breaker', { state: 'open', x: 1 })).status).toBe(400)
    const nobody = await ask('POST', '/providers/nobody/breaker', { state: 'open' })
    expect(nobody.body.message).toBe('There is no provider `nobody`. Known: `p`.')
    expect(board.states()).toMatchObject([{ provider: 'p', state: 'closed' }])
  })
})
