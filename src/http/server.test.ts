import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../config/load.ts'
import { systemClock } from '../core/clock.ts'
import type { GatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import { KeyRing } from '../identity/key-ring.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { createServer, type Server } from './server.ts'

const servers: Server[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await server.close()
})

interface Behaviour {
  readonly run?: (exchange: Exchange) => Promise<Reply>
  readonly health?: () => Promise<unknown>
}

/** The edge before a house that is not there: what the stages and stores would say is the test's to say. */
async function start({ run, health }: Behaviour = {}) {
  const logged: [string, string | undefined][] = []
  const gateway = {
    config: parseConfig({ server: { host: '127.0.0.1', port: 0, bodyBytesMax: 1024 } }, { knownKinds: [] }),
    version: '0.0.0',
    clock: systemClock,
    directory: { ring: new KeyRing() },
    adminKey: { matches: () => true },
    newRequestId: () => 'req_1',
    newExchange: (id: string, incoming: Exchange['incoming'], signal: AbortSignal) =>
      makeExchange({ id, incoming, signal }),
    models: () => ({ names: [], ownerOf: () => '' }),
    providerStates: () => {
      throw new TypeError('x is undefined')
    },
    health: health ?? (async () => ({ status: 'healthy', components: {} })),
    run: async (exchange: Exchange) => ({ reply: await run?.(exchange), end: async () => undefined }),
    logError: (_exchange: unknown, error: GatewayError, requestId?: string) =>
      void logged.push([error.code, requestId]),
  }
  const server = await createServer(gateway as unknown as Gateway)
  servers.push(server)
  let requests = 0
  server.app.server.on('request', () => requests++)
  const url = await server.listen()
  return { server, url, logged, requests: () => requests }
}

/** What comes back on one connection, as text. */
async function talk(url: string) {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  sockets.push(socket)
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  return {
    send: (...lines: readonly string[]) => socket.write(lines.join('\r\n')),
    text: () => text,
    closed: once(socket, 'close'),
  }
}

function post(path: string, headers: readonly string[] = []): string {
  const body = '{"model":"m","messages":[]}'
  return [
    `POST ${path} HTTP/1.1`,
    'host: x',
    'content-type: application/json',
    `content-length: ${body.length}`,
    ...headers,
    '',
    body,
  ].join('\r\n')
}

const ANSWER: Reply = { kind: 'token-count', status: 200, headers: {}, inputTokens: 7 }

describe('drain()', () => {
  it('answers the call in flight, refuses new work in the caller’s own shape, then closes', async () => {
    const answer = Promise.withResolvers<Reply>()
    const begun = Promise.withResolvers<void>()
    const { server, url, requests } = await start({
      run: () => {
        begun.resolve()
        return answer.promise
      },
    })
    const connection = await talk(url)
    connection.send(post('/v1/messages/count_tokens'))
    await begun.promise
    const drained = server.drain()
    connection.send(post('/v1/messages'))
    connection.send(post('/v1/chat/completions'))
    await expect.poll(requests).toBe(3)
    answer.resolve(ANSWER)
    await drained
    await connection.closed
    const answers = connection.text().split('HTTP/1.1 ').slice(1)
    expect(answers[0]).toMatch(/^200 [\s\S]*"input_tokens":7/)
    expect(answers[1]).toMatch(/^503 [\s\S]*"type":"overloaded_error"/)
    for (const refusal of answers.slice(1)) {
      expect(refusal).toMatch(/^retry-after: \d+\r$/im)
      expect(refusal).toMatch(/^connection: close\r$/im)
    }
  })

  it('says so to whoever routes to this process, and not to whoever would kill it', async () => {
    const answer = Promise.withResolvers<Reply>()
    const { server, url, requests } = await start({ run: () => answer.promise })
    const paths = ['/readyz', '/livez', '/startupz']
    const connections = await Promise.all(paths.map(() => talk(url)))
    for (const { send } of connections) send(post('/v1/messages/count_tokens'))
    await expect.poll(requests).toBe(paths.length)
    const drained = server.drain()
    for (const [index, path] of paths.entries())
      connections[index]?.send(`GET ${path} HTTP/1.1`, 'host: x', '', '')
    await expect.poll(requests).toBe(2 * paths.length)
    answer.resolve(ANSWER)
    await drained
    await Promise.all(connections.map(({ closed }) => closed))
    const statuses = connections.map(({ text }) =>
      [...text().matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status),
    )
    expect(statuses).toEqual([
      ['200', '503'],
      ['200', '200'],
      ['200', '200'],
    ])
    expect(connections[0]?.text()).toContain('"draining"')
  })
})

describe('errors of the edge', () => {
  it.each([
    ['/v1/chat/completions', {}, { error: { code: 'request_too_large', type: 'invalid_request_error' } }],
    ['/v1/messages', {}, { type: 'error', error: { type: 'request_too_large' } }],
    ['/v1beta/models/m:generateContent', {}, { error: { code: 413 } }],
  ])('of a body too large has the shape of %s', async (url, headers, body) => {
    const { server } = await start()
    const response = await server.app.inject({ method: 'POST', url, headers, payload: 'x'.repeat(2000) })
    expect(response.statusCode).toBe(413)
    expect(response.json()).toMatchObject(body)
    expect(response.headers['x-request-id']).toBe('req_1')
  })

  it('names the methods of a path, and the path that is none', async () => {
    const { server } = await start()
    const wrong = await server.app.inject('/v1/chat/completions')
    expect(wrong.statusCode).toBe(405)
    expect(wrong.headers.allow).toBe('POST')
    expect(wrong.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
    const none = await server.app.inject({ method: 'POST', url: '/v1/nothing' })
    expect(none.json()).toMatchObject({ error: { code: 'not_found' } })
  })

  it('can be found in the logs by the id that the caller has', async () => {
    const { server, logged } = await start()
    const response = await server.app.inject({ url: '/api/v1/providers' })
    expect(response.statusCode).toBe(500)
    expect(response.body).not.toContain('undefined')
    expect(logged).toEqual([['internal_error', response.headers['x-request-id']]])
  })

  it('are answered even where there is no request to answer', async () => {
    const { url } = await start()
    const nonsense = await talk(url)
    nonsense.send('what is this?', '', '')
    await nonsense.closed
    expect(nonsense.text()).toMatch(/^HTTP\/1.1 400 [\s\S]*"invalid_request"/)
    const large = await talk(url)
    large.send('GET / HTTP/1.1', 'host: x', `x-large: ${'x'.repeat(20_000)}`, '', '')
    await large.closed
    expect(large.text()).toMatch(/^HTTP\/1.1 431 [\s\S]*"headers_too_large"/)
  })

  it('of a store take a gateway out of nothing: readiness is ours alone', async () => {
    const { server } = await start({ health: async () => ({ status: 'unhealthy', components: {} }) })
    expect((await server.app.inject('/readyz')).json()).toMatchObject({ status: 'unhealthy' })
    expect((await server.app.inject('/startupz')).statusCode).toBe(200)
  })
})

describe('GET /v1/models', () => {
  it('needs a key', async () => {
    const { server } = await start()
    expect((await server.app.inject('/v1/models')).json()).toMatchObject({
      error: { code: 'invalid_api_key' },
    })
    expect((await server.app.inject('/v1beta/models')).json()).toMatchObject({ error: { code: 401 } })
    expect((await server.app.inject('/v1/models/%25')).statusCode).toBe(401)
  })
})
