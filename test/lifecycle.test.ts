import { afterEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config/load.ts'
import type { ConfigInput } from '../src/config/schema/config-schema.ts'
import { GatewayError } from '../src/core/errors.ts'
import { createGateway, type Gateway } from '../src/gateway.ts'
import { readIncoming } from '../src/http/read-incoming.ts'
import type { Caller } from '../src/pipeline/exchange.ts'
import type { Running } from '../src/pipeline/run.ts'
import { KINDS } from '../src/providers/kinds.ts'
import { createSimulator } from '../src/simulator/server.ts'
import type { Database } from '../src/storage/database.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import type { Logger } from '../src/telemetry/logger.ts'
import { createDataDirectory } from './support/services.ts'

const LEFT = new GatewayError('client_closed', { message: 'left' })

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface House {
  readonly gateway: Gateway
  readonly database: Database
  readonly logs: string[]
  config(onCancel: 'drain' | 'abort', idleTimeoutMs?: number): ReturnType<typeof parseConfig>
}

async function openHouse(onCancel: 'drain' | 'abort' = 'abort'): Promise<House> {
  const simulator = createSimulator()
  const { url } = await simulator.listen()
  closers.push(() => simulator.close())
  const config = (how: 'drain' | 'abort', idleTimeoutMs = 60_000) => {
    const input: ConfigInput = {
      providers: {
        openai: { kind: 'openai', baseUrl: `${url}/v1`, apiKey: 'k', onCancel: how, idleTimeoutMs },
      },
    }
    return parseConfig(input, { knownKinds: [...KINDS.keys()] })
  }
  const data = await createDataDirectory()
  closers.push(() => data.remove())
  const database = await openDatabase({ dataDir: data.folder })
  closers.push(() => database.close())
  const logs: string[] = []
  const note = (_fields: object, message: string) => void logs.push(message)
  const logger: Logger = { debug() {}, info() {}, warn: note, error: note }
  const gateway = await createGateway({ config: config(onCancel), database, logger })
  return { gateway, database, logs, config }
}

/** A stream of the gateway itself, as the edge would hold it. */
async function openStream(gateway: Gateway, simulation: string) {
  const organization =
    (await gateway.identityStore.findOrganization('acme')) ??
    (await gateway.organizations.create({ name: 'Acme' }))
  const caller: Caller = {
    organizationId: organization.id,
    teamId: null,
    keyId: null,
    user: null,
    models: null,
  }
  const body = {
    model: 'openai/gpt-4o',
    stream: true,
    messages: [{ role: 'user', content: 'one two three four' }],
  }
  const id = gateway.newRequestId()
  const incoming = readIncoming(
    { 'x-sim': simulation },
    '127.0.0.1',
    Buffer.from(JSON.stringify(body)),
    { operation: 'chat', format: 'chat' },
    { requestId: id, nowSeconds: 0 },
  )
  const controller = new AbortController()
  const running = await gateway.run(gateway.newExchange(id, incoming, controller.signal, caller))
  return { id, running, controller }
}

/** @returns the types of all events, once the stream has ended by itself */
async function readToEnd({ reply, end }: Running, kind: 'completed' | 'cancelled', error?: GatewayError) {
  if (reply.kind !== 'stream') throw new Error(reply.kind)
  const types: string[] = []
  for await (const frames of reply.events)
    for (const { events } of frames) types.push(...events.map(({ type }) => type))
  await end(kind, error)
  return types
}

describe('configure()', () => {
  it('lets calls in flight finish as they began, and closes what they used after them', async () => {
    const { gateway, config } = await openHouse()
    closers.push(() => gateway.close())
    const { running } = await openStream(gateway, 'tps=50')
    await gateway.configure(config('abort', 50_000))
    expect((await readToEnd(running, 'completed')).at(-1)).toBe('reply-end')
    const { running: next } = await openStream(gateway, '')
    expect((await readToEnd(next, 'completed')).at(-1)).toBe('reply-end')
  })

  it('puts the last of many configurations in force, whichever way they overlap', async () => {
    const { gateway, config } = await openHouse()
    closers.push(() => gateway.close())
    const timeouts = [11_000, 12_000, 13_000, 14_000]
    await Promise.all(timeouts.map((idleTimeoutMs) => gateway.configure(config('abort', idleTimeoutMs))))
    expect(gateway.config.providers.openai?.idleTimeoutMs).toBe(14_000)
    const { running } = await openStream(gateway, '')
    expect((await readToEnd(running, 'completed')).at(-1)).toBe('reply-end')
  })

  it('keeps the last good configuration where another cannot be put in force', async () => {
    const { gateway, config } = await openHouse()
    closers.push(() => gateway.close())
    const broken = { ...config('abort'), providers: { x: { kind: 'nothing' } } } as never
    await expect(gateway.configure(broken)).rejects.toThrow('nothing')
    await gateway.configure(config('abort', 11_000))
    const { running } = await openStream(gateway, '')
    expect((await readToEnd(running, 'completed')).at(-1)).toBe('reply-end')
  })
})

describe('close()', () => {
  it('books the calls that were still being read for a caller who left', async () => {
    const { gateway } = await openHouse('drain')
    const { id, running, controller } = await openStream(gateway, 'tps=20')
    controller.abort(LEFT)
    const read = readToEnd(running, 'cancelled', LEFT)
    await gateway.close()
    expect((await read).at(-1)).toBe('reply-end')
    const [row] = await gateway.ledgerStore.findRequest(id)
    expect(row).toMatchObject({ status: 499, estimated: false, tokensOutput: expect.any(Number) })
  })

  it('breaks off the calls that would not end, and books what they produced', async () => {
    const { gateway } = await openHouse('drain')
    const { id, running, controller } = await openStream(gateway, 'stall=3')
    controller.abort(LEFT)
    const read = readToEnd(running, 'cancelled', LEFT)
    const begun = performance.now()
    await gateway.close()
    expect(performance.now() - begun).toBeLessThan(15_000)
    expect((await read).at(-1)).toBe('error')
    const [row] = await gateway.ledgerStore.findRequest(id)
    expect(row).toMatchObject({ status: 499, estimated: true })
    expect(row?.tokensOutput).toBeGreaterThan(0)
  }, 30_000)
})

describe('createGateway()', () => {
  it('leaves nothing open where it cannot be made', async () => {
    const data = await createDataDirectory()
    closers.push(() => data.remove())
    const database = await openDatabase({ dataDir: data.folder })
    closers.push(() => database.close())
    let listening = 0
    const watched: Database = new Proxy(database, {
      get(target, name, receiver) {
        if (name !== 'listen') return Reflect.get(target, name, receiver)
        return async (...args: Parameters<Database['listen']>) => {
          const stop = await target.listen(...args)
          listening++
          return async () => {
            listening--
            await stop()
          }
        }
      },
    })
    const config = { ...parseConfig({}, { knownKinds: [] }), providers: { x: { kind: 'nothing' } } } as never
    await expect(createGateway({ config, database: watched })).rejects.toThrow('nothing')
    expect(listening).toBe(0)
  })
})

describe('listeners', () => {
  it('that throw disturb no call', async () => {
    const { gateway, logs } = await openHouse()
    closers.push(() => gateway.close())
    for (const name of ['request', 'attempt', 'settled'] as const) {
      gateway.events.on(name, () => {
        throw new Error(`no ${name}`)
      })
    }
    const { id, running } = await openStream(gateway, '')
    expect((await readToEnd(running, 'completed')).at(-1)).toBe('reply-end')
    await gateway.flushLedger()
    expect((await gateway.ledgerStore.findRequest(id))[0]).toMatchObject({ status: 200 })
    expect(logs.filter((message) => message.includes('listener'))).toHaveLength(3)
  })
})
