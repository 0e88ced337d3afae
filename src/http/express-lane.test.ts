import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Visit } from './answer.ts'
import { createExpressLane, type LaneRoute } from './express-lane.ts'

const CHAT: LaneRoute = { facts: { operation: 'chat', format: 'chat' }, family: 'openai' }

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(changes: { answer?: (visit: Visit) => Promise<void>; isOpen?: () => boolean } = {}) {
  const visits: Visit[] = []
  const framework: (string | undefined)[] = []
  const server = createServer(
    createExpressLane(
      {
        routes: new Map([['/v1/chat/completions', CHAT]]),
        bodyBytesMax: 100,
        isOpen: changes.isOpen ?? (() => true),
        answer:
          changes.answer ??
          (async (visit) => {
            visits.push(visit)
            visit.response.end('lane')
          }),
      },
      (request, response) => {
        framework.push(request.url)
        request.resume().on('end', () => response.end('framework'))
      },
    ),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, visits, framework }
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  closers.push(async () => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

function post(url: string, path: string, init: RequestInit = {}): Promise<string> {
  return fetch(url + path, { method: 'POST', body: '{}', ...init }).then((response) => response.text())
}

describe('createExpressLane()', () => {
  it('takes a POST of known length to a path that it knows, query or not', async () => {
    const { url, visits, framework } = await start()
    expect(await post(url, '/v1/chat/completions', { body: '{"é":1}' })).toBe('lane')
    expect(await post(url, '/v1/chat/completions?beta=true', { body: '' })).toBe('lane')
    expect(visits.map(({ body, ip, family }) => [body?.toString(), ip, family])).toEqual([
      ['{"é":1}', '127.0.0.1', 'openai'],
      ['', '127.0.0.1', 'openai'],
    ])
    expect(framework).toEqual([])
  })

  it('leaves whatever is odd to the framework', async () => {
    const { url, visits, framework } = await start()
    const stream = () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('{}'))
          controller.close()
        },
      })
    const odd: readonly [string, RequestInit & { duplex?: 'half' }][] = [
      ['/v1/chat/completions', { method: 'PUT' }],
      ['/v1/chat/completions/', {}],
      ['/v1/Chat/completions', {}],
      ['/v1/chat%2Fcompletions', {}],
      ['/__proto__', {}],
      ['/v1/chat/completions', { body: 'x'.repeat(101) }],
      ['/v1/chat/completions', { body: stream(), duplex: 'half' }],
    ]
    for (const [path, init] of odd) expect([path, await post(url, path, init)]).toEqual([path, 'framework'])
    expect(framework).toHaveLength(odd.length)
    expect(visits).toEqual([])
  })

  it('is closed while the gateway drains', async () => {
    const { url } = await start({ isOpen: () => false })
    expect(await post(url, '/v1/chat/completions')).toBe('framework')
  })

  it('waits for a body wherever the network cuts it', async () => {
    const { port, visits } = await start()
    const socket = await open(port)
    const body = '{"model":"m"}'
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`)
    for (const character of body) {
      await new Promise<void>((resolve) => socket.write(character, () => setImmediate(resolve)))
    }
    await expect.poll(() => visits.length).toBe(1)
    expect(visits[0]?.body?.toString()).toBe(body)
  })

  it('answers nobody who leaves before the body is whole', async () => {
    const { url, port, visits } = await start()
    const socket = await open(port)
    await new Promise<void>((resolve) =>
      socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{', () =>
        resolve(),
      ),
    )
    socket.resetAndDestroy()
    expect(await post(url, '/v1/chat/completions')).toBe('lane')
    expect(visits).toHaveLength(1)
  })

  it('breaks off where the answer meets a defect, and serves the next', async () => {
    let calls = 0
    const { url } = await start({
      async answer({ response }) {
        calls++
        if (calls === 1) throw new TypeError('x is undefined')
        response.end('lane')
      },
    })
    await expect(post(url, '/v1/chat/completions')).rejects.toThrow()
    expect(await post(url, '/v1/chat/completions')).toBe('lane')
  })
})
