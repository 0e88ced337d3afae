import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createSocketServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import {
  createTransport,
  readWhole,
  type Transport,
  type TransportOptions,
  type UpstreamRequest,
  wasSent,
} from './transport.ts'

const LEFT = new GatewayError('client_closed', { message: 'left' })
const TOO_LATE = new GatewayError('upstream_timeout', { message: 'too late' })

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A provider that does with a request whatever the test says. */
async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A provider below HTTP. */
async function serveSocket(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createSocketServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    handle(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function connect(origin: string, changes: Partial<TransportOptions> = {}): Transport {
  const transport = createTransport({
    origin,
    connectTimeoutMs: 1000,
    firstByteTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    connectionsMax: 10,
    ...changes,
  })
  closers.push(() => transport.destroy())
  return transport
}

function request(changes: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal: new AbortController().signal,
    ...changes,
  }
}

async function failureOf(promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => new Error('It succeeded.'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof GatewayError) return error
  throw error
}

describe('send()', () => {
  it('sends what it is given and gives what comes', async () => {
    const seen: unknown[] = []
    const origin = await serve(async (incoming, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      seen.push([
        incoming.method,
        incoming.url,
        incoming.headers.authorization,
        Buffer.concat(chunks).toString(),
      ])
      response.writeHead(418, { 'x-tea': 'pot' })
      response.end('{"a":1}')
    })
    const sent = request({ headers: { authorization: 'Bearer k' }, body: Buffer.from('{"é":1}') })
    const response = await connect(origin).send(sent)
    expect(response.status).toBe(418)
    expect(response.headers['x-tea']).toBe('pot')
    expect((await readWhole(response, 100, sent.signal)).toString()).toBe('{"a":1}')
    expect(seen).toEqual([['POST', '/v1/chat/completions', 'Bearer k', '{"é":1}']])
  })

  it('knows that a refused connection carried nothing', async () => {
    const server = createSocketServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const error = await failureOf(connect(`http://127.0.0.1:${port}`).send(request()))
    expect(error.code).toBe('upstream_error')
    expect(error.detail?.code).toBe('ECONNREFUSED')
    expect(wasSent(error)).toBe(false)
  })

  it('knows that a connection without an agreed encryption carried nothing', async () => {
    const origin = await serveSocket((socket) => socket.end('this is no TLS'))
    const error = await failureOf(connect(origin.replace('http:', 'https:')).send(request()))
    expect(error.code).toBe('upstream_error')
    expect(wasSent(error)).toBe(false)
  })

  it.each([
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['closed', (socket: Socket) => void socket.end()],
    ['answered with nonsense', (socket: Socket) => void socket.end('what?\r\n\r\n')],
    ['answered with half a head', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-')],
  ])('takes a request that was %s for one that may have been worked on', async (_name, answer) => {
    const origin = await serveSocket((socket) => void socket.once('data', () => answer(socket)))
    const error = await failureOf(connect(origin).send(request()))
    expect(error.code).toBe('upstream_error')
    expect(wasSent(error)).toBe(true)
  })

  it('waits for the head of an answer only so long', async () => {
    const origin = await serve(() => undefined)
    const error = await failureOf(connect(origin, { firstByteTimeoutMs: 50 }).send(request()))
    expect(error.code).toBe('upstream_timeout')
    expect(wasSent(error)).toBe(true)
  })

  it('sends nothing for a caller who is gone', async () => {
    let requests = 0
    const origin = await serve((_request, response) => {
      requests++
      response.end()
    })
    const transport = connect(origin)
    const error = await failureOf(transport.send(request({ signal: AbortSignal.abort(LEFT) })))
    expect(error.code).toBe('client_closed')
    expect(wasSent(error)).toBe(false)
    await readWhole(await transport.send(request()), 100, new AbortController().signal)
    expect(requests).toBe(1)
  })

  it('lets a caller go at once who still waits for a connection, and sends nothing for it later', async () => {
    const bodies: string[] = []
    const pending: ServerResponse[] = []
    const origin = await serve(async (incoming, response) => {
      for await (const chunk of incoming) bodies.push(String(chunk))
      pending.push(response)
      if (bodies.length > 1) response.end()
    })
    const transport = connect(origin, { connectionsMax: 1 })
    const first = transport.send(request({ body: 'first' }))
    const left = new AbortController()
    const second = failureOf(transport.send(request({ body: 'second', signal: left.signal })))
    left.abort(LEFT)
    const error = await second
    expect(error.code).toBe('client_closed')
    expect(wasSent(error)).toBe(false)
    const third = transport.send(request({ body: 'third' }))
    await expect.poll(() => pending.length).toBe(1)
    pending[0]?.end('done')
    await readWhole(await first, 100, new AbortController().signal)
    await readWhole(await third, 100, new AbortController().signal)
    expect(bodies).toEqual(['first', 'third'])
  })

  it('breaks off where the call is ended while the provider thinks, and says why', async () => {
    const controller = new AbortController()
    const closed = Promise.withResolvers<void>()
    const origin = await serve((_request, response) => {
      response.on('close', closed.resolve)
      controller.abort(TOO_LATE)
    })
    const error = await failureOf(connect(origin).send(request({ signal: controller.signal })))
    expect(error.code).toBe('upstream_timeout')
    expect(error.message).toBe('too late')
    expect(wasSent(error)).toBe(true)
    await closed.promise
  })

  it('leaves no listener on a signal that lives on', async () => {
    const origin = await serve((_request, response) => response.end('x'))
    const transport = connect(origin)
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: Parameters<AbortSignal['addEventListener']>) => {
      listeners++
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args: Parameters<AbortSignal['removeEventListener']>) => {
      listeners--
      removeEventListener.apply(signal, args)
    }
    for (let i = 0; i < 3; i++) await readWhole(await transport.send(request({ signal })), 100, signal)
    await expect.poll(() => listeners).toBe(0)
  })
})

describe('readWhole()', () => {
  async function start(
    answer: (response: ServerResponse, request: IncomingMessage) => void,
    changes: Partial<TransportOptions> = {},
    signal = new AbortController().signal,
  ) {
    const origin = await serve((incoming, response) => {
      response.writeHead(200)
      answer(response, incoming)
    })
    return connect(origin, changes).send(request({ signal }))
  }
  const never = new AbortController().signal

  it('joins chunks wherever they were cut', async () => {
    const response = await start((outgoing) => {
      outgoing.write(Buffer.from([0xc3]))
      setImmediate(() => outgoing.end(Buffer.from([0xa9])))
    })
    expect((await readWhole(response, 2, never)).toString()).toBe('é')
  })

  it('gives nothing for an empty reply', async () => {
    expect(await readWhole(await start((outgoing) => outgoing.end()), 0, never)).toHaveLength(0)
  })

  it('refuses a reply that is too large, and closes the connection', async () => {
    const closed = Promise.withResolvers<void>()
    const response = await start((outgoing) => {
      outgoing.on('close', closed.resolve)
      const more = () => {
        while (outgoing.write(Buffer.alloc(65_536)));
        outgoing.once('drain', more)
      }
      more()
    })
    const error = await failureOf(readWhole(response, 100_000, never))
    expect(error).toMatchObject({ code: 'upstream_error', detail: { bytesMax: 100_000 } })
    await closed.promise
  })

  it.each([
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['closed', (socket: Socket) => void socket.end()],
  ])('takes a reply whose connection is %s for a broken one', async (_name, end) => {
    const response = await start((outgoing, incoming) => {
      outgoing.write('{"half":', () => end(incoming.socket))
    })
    const error = await failureOf(readWhole(response, 100, never))
    expect(error.code).toBe('upstream_error')
    expect(wasSent(error)).toBe(true)
  })

  it('waits for the next chunk only so long', async () => {
    const response = await start((outgoing) => void outgoing.write('{'), { idleTimeoutMs: 50 })
    const error = await failureOf(readWhole(response, 100, never))
    expect(error.code).toBe('upstream_timeout')
  })

  it('says why the call was ended while the reply came', async () => {
    const controller = new AbortController()
    const response = await start((outgoing) => void outgoing.write('{'), {}, controller.signal)
    const read = failureOf(readWhole(response, 100, controller.signal))
    controller.abort(LEFT)
    expect(await read).toBe(LEFT)
  })
})

describe('destroy()', () => {
  it('breaks off what is under way, sent or not', async () => {
    const begun = Promise.withResolvers<void>()
    const origin = await serve((_request, outgoing) => {
      outgoing.write('half')
      begun.resolve()
    })
    const transport = connect(origin, { connectionsMax: 1 })
    const response = await transport.send(request())
    await begun.promise
    const read = failureOf(readWhole(response, 100, new AbortController().signal))
    const waiting = failureOf(transport.send(request()))
    await transport.destroy()
    expect((await read).code).toBe('upstream_error')
    const error = await waiting
    expect([error.code, wasSent(error)]).toEqual(['upstream_error', false])
  })
})

describe('UpstreamResponse.body', () => {
  it('can be thrown away unread', async () => {
    const closed = Promise.withResolvers<void>()
    const origin = await serve((_request, outgoing) => {
      outgoing.on('close', closed.resolve)
      outgoing.write('half')
    })
    const response = await connect(origin).send(request())
    response.body.destroy()
    await closed.promise
  })
})
