import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { metersOf } from '../meters.ts'
import { NO_LIMITS, ORGANIZATION } from '../policy.ts'
import { fakeStore } from './fixtures/fake-books.ts'
import { amounts, budgetOf, LEASE_MS, NOW, openHouse } from './fixtures/house.ts'

const DAY = 86_400_000
const MINUTE = 60_000
const [BUDGET] = metersOf(budgetOf('acme'), NOW)
if (BUDGET === undefined) throw new Error('A budget has a meter.')

/** A house in which one call was made, booked and settled. */
async function openWithCall(given: Parameters<typeof openHouse>[1] = {}) {
  const house = openHouse(undefined, given)
  await house.take('first', 100)
  house.record('first', 70)
  await house.counters.settle('acme', 'first', amounts(70))
  return house
}

describe('Reconciler.reconcile()', () => {
  it('finds nothing where counters, holds and ledger agree', async () => {
    const { reconciler, take } = await openWithCall()
    await take('under way', 30)
    const report = await reconciler.reconcile({ repair: true })
    expect(report).toMatchObject({
      startedAt: '2026-02-10T12:00:00.000Z',
      complete: true,
      clean: true,
      totals: { organizations: 1, meters: 1, holds: 1, ledgerNanoUsd: 70, differenceNanoUsd: 0 },
      meters: [
        {
          organizationId: 'acme',
          meter: 'organization/budget',
          window: 'period',
          ledgerNanoUsd: 70,
          counterNanoUsd: 70,
          heldNanoUsd: 30,
          differenceNanoUsd: 0,
          action: 'none',
        },
      ],
      holds: [{ holdId: 'under way', ageMs: 0, leaseLeftMs: LEASE_MS, ledgerNanoUsd: null, action: 'none' }],
    })
    expect(reconciler.last).toBe(report)
  })

  it('puts a counter right at once that has less than the ledger', async () => {
    const { reconciler, counters, states, events } = await openWithCall()
    await counters.adjust('acme', BUDGET, -50)
    const report = await reconciler.reconcile({ repair: true })
    expect(report.meters).toMatchObject([{ counterNanoUsd: 20, differenceNanoUsd: -50, action: 'adjusted' }])
    expect(report).toMatchObject({ clean: true, totals: { adjusted: 1, differenceNanoUsd: 50 } })
    expect((await states())[0]).toMatchObject({ used: 70 })
    expect(events).toEqual([])
  })

  it('only looks without repair', async () => {
    const { reconciler, counters, states, events } = await openWithCall()
    await reconciler.reconcile({ repair: false })
    await counters.adjust('acme', BUDGET, -50)
    const report = await reconciler.reconcile({ repair: false })
    expect(report).toMatchObject({ clean: false, totals: { reported: 1 } })
    expect((await states())[0]).toMatchObject({ used: 20 })
    expect(events).toEqual([])
  })

  it('takes no settlement on its way to the counters for a deficit', async () => {
    const { reconciler, take, record, books, states } = await openWithCall()
    await take('settling', 40)
    record('settling', 25)
    await books.flush()
    const report = await reconciler.reconcile({ repair: true })
    expect(report.meters).toMatchObject([{ ledgerNanoUsd: 95, differenceNanoUsd: 0, action: 'none' }])
    expect(report.holds).toMatchObject([{ holdId: 'settling', ledgerNanoUsd: 25, action: 'watching' }])
    expect((await states())[0]).toMatchObject({ used: 70, held: 40 })
  })

  it('takes no call that is settled between its looks for a deficit', async () => {
    const { reconciler, take, record, books, counters, states } = await openWithCall()
    await reconciler.reconcile({ repair: true })
    await take('quick', 40)
    let times = 0
    books.onSpent = async () => {
      if (++times > 1) return
      record('quick', 25)
      await books.flush()
      await counters.settle('acme', 'quick', amounts(25))
    }
    const report = await reconciler.reconcile({ repair: true })
    expect(report.totals).toMatchObject({ adjusted: 0, watching: 0 })
    expect((await states())[0]).toMatchObject({ used: 95, held: 0 })
  })

  it('settles a hold whose call the ledger has: when its lease is over, or when it said the same before', async () => {
    const { reconciler, take, record, books, time, counters, states } = await openWithCall()
    await take('lost', 40)
    record('lost', 25)
    await books.flush()
    await reconciler.reconcile({ repair: true })
    time.nowMs += 4999
    expect((await reconciler.reconcile({ repair: true })).totals.holdsSettled).toBe(0)
    time.nowMs += 1
    expect((await reconciler.reconcile({ repair: true })).totals.holdsSettled).toBe(1)
    expect((await states())[0]).toMatchObject({ used: 95, held: 0 })

    await take('lapsed', 40)
    record('lapsed', 5)
    time.nowMs += LEASE_MS
    const report = await reconciler.reconcile({ repair: true })
    expect(report).toMatchObject({ clean: true, totals: { holdsSettled: 1, adjusted: 0 } })
    expect((await states())[0]).toMatchObject({ used: 100, held: 0 })
    expect(await counters.holds('acme')).toEqual([])
  })

  it('does not settle a hold with a part of what the ledger will have', async () => {
    const { reconciler, take, record, time, books } = await openWithCall()
    await take('two attempts', 40)
    record('two attempts', 25)
    await reconciler.reconcile({ repair: true })
    books.record({
      id: 'second',
      requestId: 'two attempts',
      organizationId: 'acme',
      keyId: 'K1',
      atMs: NOW,
      tokens: 1,
      costNanoUsd: 5,
    })
    time.nowMs += 6000
    expect((await reconciler.reconcile({ repair: true })).totals.holdsSettled).toBe(0)
  })

  it('takes away what a counter has too much after three looks half a minute apart, as much as was there each time', async () => {
    const { reconciler, counters, states, time, record } = await openWithCall()
    await counters.adjust('acme', BUDGET, 50)
    const actions: unknown[] = []
    const look = async () => {
      const { meters, clean } = await reconciler.reconcile({ repair: true })
      actions.push([meters[0]?.differenceNanoUsd, meters[0]?.action, clean])
    }
    await look()
    time.nowMs += 29_999
    await look()
    time.nowMs += 1
    await look()
    // A settlement came too late for the look before.
    record('first late', 10)
    time.nowMs += 30_000
    await look()
    expect(actions).toEqual([
      [50, 'watching', false],
      [50, 'watching', false],
      [50, 'watching', false],
      [40, 'adjusted', true],
    ])
    expect((await states())[0]).toMatchObject({ used: 80 })
    await look()
    expect(actions.at(-1)).toEqual([0, 'none', true])
  })

  it('takes no more away than was too much at every look', async () => {
    const { reconciler, counters, states, time } = await openWithCall()
    for (const more of [50, -20, 40]) {
      await counters.adjust('acme', BUDGET, more)
      await reconciler.reconcile({ repair: true })
      time.nowMs += MINUTE
    }
    expect((await states())[0]).toMatchObject({ used: 140 - 30 })
  })

  it('forgets an excess that the ledger caught up with', async () => {
    const { reconciler, counters, time, record, states } = await openWithCall()
    await counters.adjust('acme', BUDGET, 50)
    for (let look = 0; look < 2; look++) {
      await reconciler.reconcile({ repair: true })
      time.nowMs += MINUTE
    }
    record('of another replica', 50)
    expect((await reconciler.reconcile({ repair: true })).meters).toMatchObject([{ action: 'none' }])
    await counters.adjust('acme', BUDGET, 5)
    time.nowMs += MINUTE
    expect((await reconciler.reconcile({ repair: true })).meters).toMatchObject([{ action: 'watching' }])
    expect((await states())[0]).toMatchObject({ used: 125 })
  })

  it('waits for what other replicas have on their way before it calls something too much', async () => {
    const house = await openWithCall({
      settlingMs: 3000,
      wait: async (ms) => {
        expect(ms).toBe(3000)
        house.record('of another replica', 50)
      },
    })
    await house.counters.adjust('acme', BUDGET, 50)
    const report = await house.reconciler.reconcile({ repair: true })
    expect(report).toMatchObject({ clean: true, totals: { watching: 0 } })
  })

  it('takes nothing away while calls are under way that were when it was seen first, and reports it after an hour', async () => {
    const { reconciler, counters, take, time, events, states } = await openWithCall()
    await counters.adjust('acme', BUDGET, 50)
    await take('long stream', 10)
    let actions: string[] = []
    const look = async () => {
      const { meters } = await reconciler.reconcile({ repair: true })
      actions.push(meters[0]?.action ?? '')
      time.nowMs += 5 * MINUTE
      await counters.grow('acme', 'long stream', { requests: 0, tokens: 0, costNanoUsd: 0 }, LEASE_MS)
    }
    for (let turn = 0; turn < 12; turn++) await look()
    expect(actions).toEqual([...Array<string>(11).fill('watching'), 'reported'])
    expect(events).toMatchObject([
      { kind: 'usage_drift', organizationId: 'acme', dedupeKey: 'usage_drift/acme/organization/budget' },
    ])
    expect((await states())[0]).toMatchObject({ used: 120 })
    await counters.release('acme', 'long stream')
    // One that began since explains nothing.
    await take('another', 10)
    actions = []
    await look()
    expect(actions).toEqual(['adjusted'])
    expect((await states())[0]).toMatchObject({ used: 70 })
  })

  it('reports what is held and belongs to no call', async () => {
    const house = await openWithCall()
    const { reconciler, counters, time, events } = house
    await house.take('forgotten', 10)
    const holds = vi.spyOn(house.books, 'settled')
    const broken = openHouse(undefined, {
      counters: new Proxy(counters, {
        get: (target, name) => (name === 'holds' ? async () => [] : Reflect.get(target, name)),
      }),
      spent: house.books,
      flush: house.books.flush,
      now: () => time.nowMs,
      ensure: house.rebuilder.ensure,
      onDrift: (event) => events.push(event),
    })
    const actions: unknown[] = []
    for (let look = 0; look < 3; look++) {
      const { meters } = await broken.reconciler.reconcile({ repair: true })
      actions.push(meters[0]?.action)
      time.nowMs += MINUTE
    }
    expect(actions).toEqual(['none', 'none', 'reported'])
    expect(events).toMatchObject([{ detail: { heldNanoUsd: 10 } }])
    expect(holds).not.toHaveBeenCalled()
    await reconciler.close()
  })

  it('lets what a replica spent from its share arrive, and raises the counter where it does not', async () => {
    const { reconciler, take, record, states, time } = await openWithCall()
    await take('share:replica:1', 40)
    record('while Redis was away', 30)
    const look = async () => {
      const { meters } = await reconciler.reconcile({ repair: true })
      time.nowMs += 30_000
      return [meters[0]?.action, (await states())[0]?.used]
    }
    expect(await look()).toEqual(['watching', 70])
    // More than the share cannot have been spent from it.
    record('of somebody else', 25)
    expect(await look()).toEqual(['watching', 85])
    expect(await look()).toEqual(['watching', 115])
    expect(await look()).toEqual(['watching', 115])
    expect(await look()).toEqual(['watching', 115])
    expect(await look()).toEqual(['adjusted', 125])
    expect(await look()).toEqual(['none', 125])
  })

  it('takes away what is too much though a share is leased all the time', async () => {
    const { reconciler, counters, take, time, states } = await openWithCall()
    await take('share:replica:1', 40)
    await counters.adjust('acme', BUDGET, 50)
    for (let look = 0; look < 3; look++) {
      await reconciler.reconcile({ repair: true })
      time.nowMs += MINUTE
    }
    expect((await states())[0]).toMatchObject({ used: 70, held: 40 })
  })

  it('shows what was spent in windows that roll beside the ledger, and calls no difference of theirs a drift', async () => {
    const policy = {
      organizationId: 'acme',
      subject: ORGANIZATION,
      limits: { ...NO_LIMITS, costPerDayNanoUsd: 1000, requestsPerMinute: 5 },
      budget: undefined,
    }
    const { reconciler, take, record, counters } = openHouse([policy])
    await take('first', 10)
    await counters.settle('acme', 'first', amounts(10))
    record('one', 20)
    const report = await reconciler.reconcile({ repair: true })
    expect(report).toMatchObject({ clean: true, totals: { meters: 0 } })
    expect(report.meters).toMatchObject([
      { meter: 'organization/cost_per_day', window: 'trailing', differenceNanoUsd: -10, action: 'none' },
    ])
  })

  it('counts an organization first that the counters know nothing of, instead of calling that a drift', async () => {
    const { reconciler, lose, states, take } = await openWithCall()
    await reconciler.reconcile({ repair: false })
    lose()
    const report = await reconciler.reconcile({ repair: false })
    expect(report).toMatchObject({ clean: true, totals: { reported: 0, adjusted: 0 } })
    expect((await states())[0]).toMatchObject({ used: 70 })
    expect(await take('next', 1)).toMatchObject({ granted: true })
  })

  it('looks at one organization where it is named, else at every one', async () => {
    const names = Array.from({ length: 250 }, (_, index) => `o${String(index).padStart(3, '0')}`)
    const { reconciler, take, record } = openHouse(names.map((name) => budgetOf(name)))
    await take('call', 10, { organizationId: 'o249' })
    record('call', 7, 'K1', 'o249')
    const all = await reconciler.reconcile({ repair: true })
    expect(all.totals).toMatchObject({ organizations: 250, meters: 250, holds: 1, ledgerNanoUsd: 7 })
    const one = await reconciler.reconcile({ organizationId: 'o249', repair: true })
    expect(one.totals).toMatchObject({ organizations: 1, meters: 1, holds: 1 })
  })

  it('makes sums anew that are not what their rows are, before it asks the ledger through them', async () => {
    const done: unknown[] = []
    const difference = {
      organizationId: 'acme',
      dayMs: NOW - (NOW % DAY),
      sums: 1,
      ledgerNanoUsd: 70,
      rollupNanoUsd: 60,
    }
    const store = fakeStore(['acme'], {
      rollupDifferences: async (range) => {
        done.push(range)
        return [
          { ...difference, rollup: 'usage_daily' },
          { ...difference, rollup: 'usage_hourly' },
          { ...difference, organizationId: 'large', rollup: 'usage_daily' },
        ]
      },
      rewriteRollups: async (organizationId, dayMs) => {
        done.push([organizationId, dayMs])
        return organizationId !== 'large'
      },
    })
    const { reconciler, events, books } = await openWithCall({ store })
    books.onSpent = () => void done.push('spent')
    const report = await reconciler.reconcile({ repair: true })
    expect(done).toEqual([
      { organizationId: undefined, fromMs: Date.UTC(2026, 1, 1), toMs: Date.UTC(2026, 1, 12) },
      ['acme', Date.UTC(2026, 1, 10)],
      ['large', Date.UTC(2026, 1, 10)],
      'spent',
      'spent',
    ])
    expect(report).toMatchObject({
      clean: false,
      totals: { rollupsAdjusted: 2, rollupsReported: 1 },
      rollups: [
        { organizationId: 'acme', day: '2026-02-10', action: 'adjusted' },
        { organizationId: 'acme', action: 'adjusted' },
        { organizationId: 'large', action: 'reported' },
      ],
    })
    expect(events).toMatchObject([{ severity: 'high', organizationId: 'large' }])
    done.length = 0
    const looked = await reconciler.reconcile({ repair: false })
    expect(looked.rollups.map(({ action }) => action)).toEqual(['reported', 'reported', 'reported'])
    expect(done.filter((each) => Array.isArray(each))).toEqual([])
  })

  it('reports a current_spend_usd that is not what the rows are', async () => {
    const store = fakeStore(['acme'], {
      spendDifferences: async (organizationId) => [
        { organizationId, periodStartMs: NOW, spendNanoUsd: 1_500_000_000, ledgerNanoUsd: 70 },
      ],
    })
    const { reconciler, events } = await openWithCall({ store })
    expect(await reconciler.reconcile({ repair: true })).toMatchObject({
      clean: false,
      spend: [{ organizationId: 'acme', spendNanoUsd: 1_500_000_000, ledgerNanoUsd: 70, action: 'reported' }],
    })
    expect(events).toMatchObject([
      { title: 'ai_budgets.current_spend_usd says 1.5 where the ledger has 0.00000007.' },
    ])
  })

  it('is refused while another replica is at it, and breaks off when nobody waits for it', async () => {
    const busy = await openWithCall({ store: fakeStore(['acme'], { exclusively: async () => undefined }) })
    await expect(busy.reconciler.reconcile({ repair: true })).rejects.toMatchObject({ code: 'conflict' })
    const { reconciler } = await openWithCall()
    const report = await reconciler.reconcile({ repair: true, signal: AbortSignal.abort() })
    expect(report).toMatchObject({ complete: false, clean: false, totals: { organizations: 0 } })
  })

  it('does one after the other, and refuses more than a few that wait', async () => {
    let active = 0
    const { reconciler } = await openWithCall({
      store: fakeStore(['acme'], {
        rollupDifferences: async () => {
          expect(++active).toBe(1)
          await new Promise((resolve) => setImmediate(resolve))
          active--
          return []
        },
      }),
    })
    const asked = await Promise.allSettled(
      Array.from({ length: 12 }, () => reconciler.reconcile({ repair: true })),
    )
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(8)
    expect(asked.at(-1)).toMatchObject({ reason: { code: 'overloaded' } })
    expect((await reconciler.reconcile({ repair: true })).clean).toBe(true)
  })
})

describe('Reconciler.makeSure()', () => {
  it('counts at once what was spent from a share, for all who ask before it begins', async () => {
    const { reconciler, take, record, states, reports } = await openWithCall()
    await take('share:dead:1', 40)
    record('while Redis was away', 30)
    await Promise.all(Array.from({ length: 50 }, () => reconciler.makeSure('acme')))
    expect((await states())[0]).toMatchObject({ used: 100, held: 40 })
    expect(reports).toHaveLength(1)
    record('another', 5)
    await reconciler.makeSure('acme')
    expect((await states())[0]).toMatchObject({ used: 105 })
  })

  it('rejects where it could not look, and looks again when asked again', async () => {
    let isBusy = true
    const { reconciler, record, states } = await openWithCall({
      store: fakeStore(['acme'], { exclusively: async (work) => (isBusy ? undefined : work()) }),
    })
    record('more', 5)
    await expect(reconciler.makeSure('acme')).rejects.toMatchObject({ code: 'conflict' })
    isBusy = false
    await reconciler.makeSure('acme')
    expect((await states())[0]).toMatchObject({ used: 75 })
  })

  it('rejects while the ledger is away', async () => {
    const { reconciler, books } = await openWithCall()
    books.away = true
    await expect(reconciler.makeSure('acme')).rejects.toMatchObject({ code: 'storage_unavailable' })
    books.away = false
    await reconciler.makeSure('acme')
  })
})

describe('Reconciler.start()', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Moves both clocks on, a tick at a time. */
  async function pass(time: { nowMs: number }, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5000) {
      time.nowMs += 5000
      await vi.advanceTimersByTimeAsync(5000)
    }
  }

  it('looks every five minutes while it leads: at whoever was active, and at others in turn', async () => {
    let leads = true
    const house = openHouse(
      ['a', 'b', 'c'].map((name) => budgetOf(name)),
      { lead: async () => leads },
    )
    const { reconciler, time } = house
    await reconciler.start()
    await pass(time, 295_000)
    expect(reconciler.last).toBeUndefined()
    await pass(time, 5000)
    expect(reconciler.last?.totals.organizations).toBe(3)
    const first = reconciler.last
    leads = false
    await pass(time, 300_000)
    expect(reconciler.last).toBe(first)
    leads = true
    await pass(time, 300_000)
    expect(reconciler.last).not.toBe(first)
    await reconciler.close()
    expect(house.errors).toEqual([])
  })

  it('looks again in half a minute at what it watches, so that three looks take a minute', async () => {
    const house = openHouse()
    const { reconciler, time, counters, take, record, states } = house
    await take('first', 100)
    record('first', 70)
    await counters.settle('acme', 'first', amounts(70))
    await reconciler.start()
    await counters.adjust('acme', BUDGET, 50)
    await pass(time, 300_000)
    expect((await states())[0]).toMatchObject({ used: 120 })
    await pass(time, 65_000)
    expect((await states())[0]).toMatchObject({ used: 70 })
    await reconciler.close()
  })

  it('lookSoon() has a look within ten seconds, whoever leads', async () => {
    const house = openHouse(undefined, { lead: async () => false })
    const { reconciler, time, counters, take, record, states } = house
    await take('first', 100)
    await counters.release('acme', 'first')
    await reconciler.start()
    record('of another replica', 60)
    reconciler.lookSoon('acme')
    await pass(time, 10_000)
    expect((await states())[0]).toMatchObject({ used: 60 })
    await reconciler.close()
  })

  it('tells of a turn that failed, and tries it again in a minute', async () => {
    const house = openHouse()
    const { reconciler, time, books, errors } = house
    await reconciler.start()
    books.away = true
    await pass(time, 300_000)
    expect(errors).toMatchObject([{ code: 'storage_unavailable' }])
    books.away = false
    await pass(time, 60_000)
    expect(reconciler.last?.clean).toBe(true)
    await reconciler.close()
  })
})
