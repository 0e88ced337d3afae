import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Alerts, openAlerts } from '../src/alerts/alerts.ts'
import { isSigned } from '../src/alerts/channels/signature.ts'
import type { BudgetUse } from '../src/alerts/ports.ts'
import { parseConfig } from '../src/config/load.ts'
import { Secret } from '../src/core/secret.ts'
import { createAlertStore } from '../src/storage/alert-store.ts'
import type { Database } from '../src/storage/database.ts'
import { createLeaseStore } from '../src/storage/lease-store.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import { createSpendStore } from '../src/storage/spend-store.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'
import { createDatabase, createDataDirectory } from './support/services.ts'

const SECRET = 'a-secret-that-both-know'

interface Received {
  readonly body: {
    readonly type: string
    readonly alert: {
      readonly id: string
      readonly kind: string
      readonly detail: Readonly<Record<string, unknown>>
    }
  }
  readonly isSigned: boolean
}

/** A webhook on loopback. */
interface Receiver {
  readonly url: string
  readonly received: readonly Received[]
  /** Answers from now on with this status. */
  answer(status: number): void
  /** @returns once so many messages have come */
  until(count: number): Promise<void>
  close(): Promise<void>
}

async function openReceiver(): Promise<Receiver> {
  const received: Received[] = []
  let status = 200
  let wake = () => {}
  const server = createServer(async (request: IncomingMessage, response) => {
    const text = Buffer.concat(await request.toArray()).toString()
    const signature = String(request.headers['x-gatehouse-signature'])
    received.push({
      body: JSON.parse(text),
      isSigned: isSigned(text, SECRET, signature, Math.floor(Date.now() / 1000)),
    })
    response.writeHead(status).end()
    wake()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/T0/B0`,
    received,
    answer(next) {
      status = next
    },
    async until(count) {
      while (received.length < count) {
        const next = Promise.withResolvers<void>()
        wake = next.resolve
        await next.promise
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(thresholds: { hourlyCostUsd?: number; dailyCostUsd?: number } = {}) {
  const receiver = await openReceiver()
  closers.push(() => receiver.close())
  const house = await startGateway({
    config: {
      alerts: {
        channels: [{ kind: 'webhook', name: 'hook', url: receiver.url, secret: SECRET }],
        thresholds,
      },
    },
  })
  closers.push(() => house.close())
  return { house, receiver }
}

async function api(house: TestGateway, method: string, path: string, body?: unknown) {
  const response = await fetch(`${house.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${house.adminKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
  return { status: response.status, body: (await response.json()) as any }
}

async function ask({ url }: TestGateway, key: string, model = 'openai/gpt-4o') {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      max_tokens: 100,
      messages: [{ role: 'user', content: 'hello '.repeat(50) }],
    }),
  })
  await response.arrayBuffer()
  return response
}

describe('alerts of a whole gateway', () => {
  it('tell of a budget at 80 % and at 100 % within seconds of the call, once each', async () => {
    const { house, receiver } = await start()
    const { id, key } = await house.newOrganization('Acme')
    expect((await ask(house, key)).status).toBe(200)
    const cost = (await house.ledger()).reduce((sum, row) => sum + row.costNanoUsd, 0)
    expect(cost).toBeGreaterThan(0)
    await house.gateway.policyStore.putBudget(
      id,
      { scope: 'organization', id: '' },
      { limitNanoUsd: Math.floor(cost * 2.4), hardLimit: false, alertAt: [0.8, 1] },
    )
    while (house.gateway.book.find(id, { scope: 'organization', id: '' })?.policy.budget?.hardLimit !== false)
      await new Promise(setImmediate)

    await ask(house, key)
    await receiver.until(1)
    expect(receiver.received[0]).toMatchObject({
      isSigned: true,
      body: {
        type: 'alert.raised',
        alert: {
          kind: 'budget_threshold',
          severity: 'medium',
          organizationId: id,
          status: 'active',
          detail: { organizationName: 'Acme', threshold: 0.8, hardLimit: false },
        },
      },
    })
    await ask(house, key)
    await receiver.until(2)
    expect(receiver.received[1]?.body.alert.detail.threshold).toBe(1)
    await ask(house, key)
    await house.ledger()
    await house.gateway.alerts.look()
    await house.gateway.alerts.evaluate()
    expect(receiver.received).toHaveLength(2)

    const { body: list } = await api(house, 'GET', `/alerts?status=active&organizationId=${id}`)
    expect(list.data.map((row: { severity: string }) => row.severity)).toEqual(['high', 'medium'])
    const { body: none } = await api(house, 'GET', '/alerts?organizationId=default')
    expect(none.data).toEqual([])
    const [high] = list.data
    expect((await api(house, 'GET', `/alerts/${high.id}`)).body).toMatchObject({
      ...high,
      deliveries: [
        { event: 'raised', channel: 'hook', status: 'delivered', attempts: 1, lastError: null },
        { event: 'raised', channel: 'log', status: 'delivered', attempts: 1 },
      ],
    })

    const acknowledged = await api(house, 'POST', `/alerts/${high.id}/acknowledge`, { note: 'on it' })
    expect(acknowledged.body).toMatchObject({ status: 'acknowledged', acknowledgedBy: 'admin' })
    expect((await api(house, 'POST', `/alerts/${high.id}/resolve`)).body).toMatchObject({
      status: 'resolved',
      resolvedBy: 'admin',
      notes: [{ by: 'admin', text: 'on it' }],
    })
    await receiver.until(3)
    expect(receiver.received[2]?.body).toMatchObject({ type: 'alert.resolved', alert: { id: high.id } })
    expect((await api(house, 'GET', '/alerts?status=active&severity=high')).body.data).toEqual([])
    expect((await api(house, 'GET', '/alerts/none')).status).toBe(404)
    expect((await api(house, 'POST', '/alerts/none/acknowledge', {})).status).toBe(404)
    expect((await api(house, 'GET', '/alerts?status=open')).status).toBe(400)
  })

  it('tell of models whose price nobody knows, charged or refused', async () => {
    const { house, receiver } = await start()
    await ask(house, house.key, 'openai/echo')
    await ask(house, house.key, 'openai/echo')
    await receiver.until(1)
    expect(receiver.received[0]?.body.alert).toMatchObject({
      kind: 'unknown_price',
      severity: 'medium',
      organizationId: null,
      detail: { provider: 'openai', model: 'echo', isRefused: false },
    })
    const { config } = house.gateway
    await house.gateway.configure({ ...config, prices: { ...config.prices, unknown: 'refuse' } })
    expect((await ask(house, house.key, 'openai/fixed-20-5')).status).toBe(400)
    await receiver.until(2)
    expect(receiver.received[1]?.body.alert.detail).toMatchObject({ model: 'fixed-20-5', isRefused: true })
  })

  it('compare costs with the thresholds of the configuration in force', async () => {
    const { house, receiver } = await start({ hourlyCostUsd: 1000, dailyCostUsd: 1000 })
    const { alerts, config } = house.gateway
    await ask(house, house.key)
    await house.ledger()
    expect(await alerts.evaluate()).toBe(true)
    expect((await alerts.list({}, { limit: 10 })).data).toEqual([])

    const lower = { ...config.alerts.thresholds, hourlyCostUsd: 0.00001, dailyCostUsd: 0.00001 }
    await house.gateway.configure({ ...config, alerts: { ...config.alerts, thresholds: lower } })
    await alerts.evaluate()
    await alerts.evaluate()
    expect(receiver.received.map(({ body }) => `${body.type} ${body.alert.kind}`).sort()).toEqual([
      'alert.raised daily_cost',
      'alert.raised hourly_cost',
    ])

    await house.gateway.configure(config)
    await alerts.evaluate()
    expect(
      receiver.received
        .slice(2)
        .map(({ body }) => `${body.type} ${body.alert.kind}`)
        .sort(),
    ).toEqual(['alert.resolved daily_cost', 'alert.resolved hourly_cost'])
  })

  it('try their channels, and name them without addresses', async () => {
    const { house, receiver } = await start()
    expect((await api(house, 'GET', '/alerts/channels')).body).toEqual({
      data: [
        { name: 'log', kind: 'log' },
        { name: 'hook', kind: 'webhook' },
      ],
    })
    expect((await api(house, 'POST', '/alerts/test')).body).toEqual({
      data: [
        { channel: 'log', kind: 'log', ok: true, error: null },
        { channel: 'hook', kind: 'webhook', ok: true, error: null },
      ],
    })
    expect(receiver.received).toMatchObject([{ isSigned: true, body: { type: 'alert.test' } }])
    receiver.answer(404)
    const failed = await api(house, 'POST', '/alerts/test', { channel: 'hook' })
    expect(failed.body).toEqual({
      data: [
        {
          channel: 'hook',
          kind: 'webhook',
          ok: false,
          error: 'The receiver did not take the message: status 404.',
        },
      ],
    })
    expect((await api(house, 'POST', '/alerts/test', { channel: 'none' })).status).toBe(404)
    expect((await api(house, 'GET', '/alerts')).body.data).toEqual([])
  })
})

describe('alerts of several replicas', () => {
  const PERIOD = { startMs: Date.UTC(2026, 10, 1), endMs: Date.UTC(2026, 11, 1) }
  const SUBJECT = { scope: 'organization', id: '' } as const

  async function openStores(): Promise<Database> {
    const postgres = await createDatabase()
    const folder = postgres === undefined ? await createDataDirectory() : undefined
    const database = await openDatabase({ url: postgres?.url, dataDir: folder?.folder })
    closers.push(async () => {
      await database.close()
      await postgres?.drop()
      folder?.remove()
    })
    return database
  }

  /** One process: its own memory, and what all of them share. */
  function openReplica(
    database: Database,
    receiver: Receiver,
    clock: { nowMs: number },
    used: () => number,
  ): Alerts {
    const uses = async (organizationId: string): Promise<BudgetUse[]> => [
      {
        budget: {
          organizationId,
          subject: SUBJECT,
          limitNanoUsd: 100,
          hardLimit: true,
          alertAt: [0.5, 0.8, 1],
          ...PERIOD,
        },
        usedNanoUsd: used(),
      },
    ]
    const { alerts } = parseConfig({ alerts: {} }, { knownKinds: [] })
    const settings = {
      ...alerts,
      channels: [
        { kind: 'webhook' as const, name: 'hook', url: new Secret(receiver.url), secret: new Secret(SECRET) },
      ],
    }
    const replica = openAlerts({
      store: createAlertStore(database),
      leases: createLeaseStore(database),
      spend: createSpendStore(database),
      budgets: { now: uses, booked: uses },
      settings: () => settings,
      clock: { now: () => clock.nowMs, monotonicMs: () => clock.nowMs },
      logger: { info() {}, warn() {}, error() {} },
    })
    closers.push(() => replica.close())
    return replica
  }

  /** A call that cost something is over. */
  function settle(replica: Alerts, organizationId: string): void {
    const exchange = { caller: undefined, attempts: [] } as unknown as Parameters<Alerts['noteSettled']>[0]
    const outcome = { kind: 'completed', status: 200, error: undefined, endedMs: 0 } as const
    const row = { organizationId, teamId: null, keyId: 'k', userId: null, tags: {}, costNanoUsd: 1 }
    replica.noteSettled(exchange, outcome, [row])
  }

  it('are raised and sent exactly once for each share and period, however many look at once', async () => {
    const database = await openStores()
    const receiver = await openReceiver()
    closers.push(() => receiver.close())
    const clock = { nowMs: Date.UTC(2026, 10, 20) }
    let used = 0
    const replicas = Array.from({ length: 4 }, () => openReplica(database, receiver, clock, () => used))
    const organizations = Array.from({ length: 10 }, (_, n) => `organization-${n}`)
    for (used of [49, 50, 79, 85, 100, 100]) {
      for (const replica of replicas) for (const organization of organizations) settle(replica, organization)
      await Promise.all(replicas.map((replica) => replica.look()))
    }
    // Whoever looked last may have found that another one sends.
    await Promise.all(replicas.map((replica) => replica.look()))
    const { data } = (await replicas[0]?.list({}, { limit: 1000 })) ?? { data: [] }
    expect(data).toHaveLength(organizations.length * 3)
    const told = receiver.received.map(({ body }) => body.alert.id)
    expect(told.sort()).toEqual(data.map(({ id }) => id).sort())

    // The period is over: one replica says so.
    clock.nowMs = PERIOD.endMs
    used = 0
    const turns = await Promise.all(replicas.map((replica) => replica.evaluate()))
    expect(turns.filter(Boolean)).toHaveLength(1)
    const ended = receiver.received.slice(data.length)
    expect(ended).toHaveLength(data.length)
    expect(ended.every(({ body }) => body.type === 'alert.resolved')).toBe(true)
  })

  it('reach their channels after a restart, whatever failed before', async () => {
    const database = await openStores()
    const receiver = await openReceiver()
    closers.push(() => receiver.close())
    receiver.answer(500)
    const clock = { nowMs: Date.UTC(2026, 10, 20) }
    const first = openReplica(database, receiver, clock, () => 85)
    settle(first, 'acme')
    await first.look()
    const { data } = await first.list({}, { limit: 10 })
    expect(data.map(({ detail }) => detail.threshold).sort()).toEqual([0.5, 0.8])
    await first.close()
    expect(receiver.received).toHaveLength(2)

    receiver.answer(200)
    const second = openReplica(database, receiver, clock, () => 85)
    await second.look()
    expect(receiver.received).toHaveLength(2)
    clock.nowMs += 2000
    settle(second, 'acme')
    await second.look()
    expect(receiver.received.map(({ body }) => body.alert.id).sort()).toEqual(
      [...data, ...data].map(({ id }) => id).sort(),
    )
    for (const { id } of data) {
      const { deliveries } = await second.find(id)
      expect(deliveries.find(({ channel }) => channel === 'hook')).toMatchObject({
        attempts: 2,
        lastError: null,
      })
    }
  })

  it('are looked after by another replica when the one that did is gone', async () => {
    const database = await openStores()
    const receiver = await openReceiver()
    closers.push(() => receiver.close())
    const clock = { nowMs: Date.UTC(2026, 10, 20) }
    const first = openReplica(database, receiver, clock, () => 0)
    const second = openReplica(database, receiver, clock, () => 0)
    expect(await first.evaluate()).toBe(true)
    expect(await second.evaluate()).toBe(false)
    await first.close()
    expect(await second.evaluate()).toBe(true)
  })
})
