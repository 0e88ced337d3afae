import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../src/core/clock.ts'
import { createServer } from '../src/http/server.ts'
import { MemoryCounters } from '../src/limits/memory-counters.ts'
import { metersOf } from '../src/limits/meters.ts'
import { NO_BUDGET, ORGANIZATION, type Policy } from '../src/limits/policy.ts'
import { createRebuilder } from '../src/limits/rebuild.ts'
import { createReconciler } from '../src/limits/reconcile/reconciler.ts'
import type { DriftEvent } from '../src/limits/reconcile/report.ts'
import { createReconcileStore } from '../src/storage/reconcile-store.ts'
import { createSpentStore } from '../src/storage/spent-store.ts'
import { runCommand } from './support/command.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

/** Counters of their own beside a whole gateway, so that what is in them is the test's to say. */
async function startReconciling() {
  const house: TestGateway = await startGateway()
  const { id: organizationId, key } = await house.newOrganization('Acme')
  const policy: Policy = {
    organizationId,
    subject: ORGANIZATION,
    limits: undefined,
    budget: { ...NO_BUDGET, limitNanoUsd: 1_000_000_000 },
  }
  let generations = 0
  const counters = new MemoryCounters({
    clock: systemClock,
    newId: () => `g${++generations}`,
    unknown: 'refuse',
  })
  const events: DriftEvent[] = []
  const shared = {
    counters,
    spent: createSpentStore(house.database),
    policiesOf: (id: string) => (id === organizationId ? [policy] : []),
    flush: () => house.gateway.flushLedger(),
    now: () => systemClock.now(),
    onError: (error: unknown) => {
      throw error
    },
  }
  const reconciler = createReconciler({
    ...shared,
    store: createReconcileStore(house.database),
    ensure: createRebuilder(shared).ensure,
    settings: house.gateway.identityStore,
    settlingMs: 0,
    wait: () => Promise.resolve(),
    lead: () => Promise.resolve(true),
    onDrift: (event) => events.push(event),
  })
  const server = await createServer(Object.create(house.gateway, { reconciler: { value: reconciler } }))
  const url = await server.listen()
  const [meter] = metersOf(policy, systemClock.now())
  if (meter === undefined) throw new Error('A budget has a meter.')

  return {
    house,
    url,
    organizationId,
    counters,
    meter,
    events,
    async ask(): Promise<void> {
      const response = await fetch(`${house.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({
          model: 'openai/gpt-4o',
          messages: [{ role: 'user', content: 'one two three' }],
        }),
      })
      expect(response.status).toBe(200)
      await response.arrayBuffer()
      await house.ledger()
    },
    async api(method: string, body?: unknown) {
      const response = await fetch(`${url}/api/v1/usage/reconcile`, {
        method,
        headers: {
          authorization: `Bearer ${house.adminKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      })
      // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
      return { status: response.status, body: (await response.json()) as any }
    },
    async close() {
      await reconciler.close()
      await server.close()
      await house.close()
    },
  }
}

describe('/api/v1/usage/reconcile', () => {
  let open: Awaited<ReturnType<typeof startReconciling>>
  beforeAll(async () => {
    open = await startReconciling()
  }, 60_000)
  afterAll(() => open.close())

  it('GET has nothing before the first reconciliation', async () => {
    expect(await open.api('GET')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
  })

  it('POST counts from the ledger, finds what was changed by hand in counters and sums, and puts it right', async () => {
    const { ask, api, counters, meter, organizationId, house } = open
    await ask()
    const first = await api('POST', {})
    expect(first).toMatchObject({ status: 200, body: { clean: true, complete: true, totals: { meters: 1 } } })
    const [row] = first.body.meters
    expect(row).toMatchObject({ organizationId, meter: 'organization/budget', action: 'none' })
    expect(row.ledgerNanoUsd).toBeGreaterThan(0)
    expect(row.counterNanoUsd).toBe(row.ledgerNanoUsd)

    counters.adjust(organizationId, meter, -5)
    await house.database.query('UPDATE usage_daily SET cost_nano_usd = cost_nano_usd + 7')
    const looked = await api('POST', { organizationId, repair: false })
    expect(looked.body).toMatchObject({
      clean: false,
      meters: [{ differenceNanoUsd: -5, differenceUsd: '-0.000000005', action: 'reported' }],
      rollups: [{ rollup: 'usage_daily', action: 'reported' }],
    })
    const repaired = await api('POST', { organizationId: 'acme', repair: true })
    expect(repaired.body).toMatchObject({ clean: true, totals: { adjusted: 1, rollupsAdjusted: 1 } })
    expect((await api('POST', {})).body).toMatchObject({ clean: true, totals: { adjusted: 0 } })
    expect(counters.read(organizationId, [meter])).toMatchObject([{ used: row.ledgerNanoUsd }])
    expect(open.events).toEqual([])
    expect(await api('GET')).toMatchObject({ status: 200, body: { clean: true, repair: true } })
  })

  it.each([
    [{ organizationId: 'nobody' }, 404, 'organizationId'],
    [{ repair: 'yes' }, 400, 'repair'],
    [{ dryRun: true }, 400, null],
  ])('POST with %j answers %d', async (body, status, param) => {
    const reply = await open.api('POST', body)
    expect(reply.status).toBe(status)
    if (param !== null) expect(reply.body.error.param).toBe(param)
  })

  it('gatehouse usage reconcile prints what differs, and ends with 1 where something remains', async () => {
    const home = await mkdtemp(join(tmpdir(), 'gatehouse-reconcile-'))
    const { counters, meter, organizationId, house, url } = open
    const run = (...words: string[]) =>
      runCommand(['usage', ...words], {
        cwd: home,
        env: { GATEHOUSE_PORT: new URL(url).port, GATEHOUSE_ADMIN_KEY: house.adminKey },
      })
    try {
      expect(await run('reconcile')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/organization\/budget[\s\S]*Agrees: 1 budgets/),
      })
      counters.adjust(organizationId, meter, -5)
      const dry = await run('reconcile', '--org', 'acme', '--dry-run')
      expect(dry).toMatchObject({ code: 1, stdout: expect.stringMatching(/-0\.000000005 +reported/) })
      const json = await run('reconcile', '--json', '--org', 'acme')
      expect(json.code).toBe(0)
      expect(JSON.parse(json.stdout)).toMatchObject({
        clean: true,
        totals: { adjusted: 1, organizations: 1 },
      })
      counters.adjust(organizationId, meter, 5)
      expect(await run('reconcile')).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/watching[\s\S]*Something remains: 1 budgets to be watched/),
      })
      expect(await run('reconcile', '--org', 'nobody')).toMatchObject({ code: 1 })

      const usage = await run('--by', 'organization', '--json')
      expect(usage.code).toBe(0)
      expect(JSON.parse(usage.stdout)).toMatchObject([{ organization: organizationId }])
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  }, 120_000)
})
