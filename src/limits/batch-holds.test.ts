import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { type BatchHolds, createBatchHolds, type HeldBatch } from './batch-holds.ts'
import { MemoryCounters } from './memory-counters.ts'
import { budgetMeter, rateMeters } from './meters.ts'
import { type Budget, type Limits, NO_BUDGET, NO_LIMITS, ORGANIZATION, type Subject } from './policy.ts'
import { PolicyBook } from './policy-book.ts'
import type { Amounts, Counters, Meter } from './ports.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const HOUR_MS = 3_600_000
const KEY: Subject = { scope: 'key', id: 'K1' }

/** One organization, its ledger, and counters that can be lost. */
class House {
  readonly time = { nowMs: NOON }
  readonly book = new PolicyBook()
  readonly ledger = new Map<string, number>()
  readonly batches = new Map<string, HeldBatch>()
  readonly errors: unknown[] = []
  counters!: MemoryCounters
  holds!: BatchHolds
  private generation = 0

  constructor(replaced: Partial<Counters> = {}) {
    this.restart(replaced)
  }

  /** Another process: what was counted in memory is gone. */
  restart(replaced: Partial<Counters> = {}): void {
    const clock = { now: () => this.time.nowMs, monotonicMs: () => this.time.nowMs }
    this.counters = new MemoryCounters({ clock, newId: () => `g${this.generation++}`, unknown: 'refuse' })
    this.holds = createBatchHolds({
      counters: Object.assign(Object.create(this.counters) as Counters, replaced),
      book: this.book,
      spent: {
        settled: async (ids) =>
          new Map(
            ids.flatMap((id): [string, Amounts][] => {
              const costNanoUsd = this.ledger.get(id)
              return costNanoUsd === undefined ? [] : [[id, { requests: 0, tokens: 0, costNanoUsd }]]
            }),
          ),
      },
      openBatches: async () => [...this.batches.values()],
      rebuild: (organizationId, generation) => this.rebuild(organizationId, generation),
      now: clock.now,
      onError: (error) => this.errors.push(error),
    })
  }

  /** As the rebuilder does it. */
  async rebuild(organizationId: string, generation: string): Promise<void> {
    await this.holds.prepare(organizationId)
    const spent = [...this.ledger.values()].reduce((sum, cost) => sum + cost, 0)
    const used = this.meters().map((meter) => ({ meter, used: spent }))
    if (this.counters.rebuild(organizationId, generation, used)) this.holds.holdAgain(organizationId)
  }

  set(subject: Subject, limits: Partial<Limits> | undefined, budget: Partial<Budget> | undefined): void {
    this.book.put({
      organizationId: 'o',
      subject,
      limits: limits === undefined ? undefined : { ...NO_LIMITS, ...limits },
      budget: budget === undefined ? undefined : { ...NO_BUDGET, ...budget },
    })
  }

  meters(): Meter[] {
    return [...this.book.ofOrganization('o')].flatMap(({ policy }) => [
      ...rateMeters(policy.subject, policy.limits ?? NO_LIMITS).filter(
        ({ quantity }) => quantity === 'costNanoUsd',
      ),
      ...(policy.budget === undefined ? [] : [budgetMeter(policy.subject, policy.budget, NOON)]),
    ])
  }

  /** Used and held of each meter of money. */
  state(): [number, number][] {
    return this.counters.read('o', this.meters()).map(({ used, held }) => [used, held])
  }
}

function batch(change: Partial<HeldBatch> = {}): HeldBatch {
  return {
    organizationId: 'o',
    teamId: null,
    keyId: 'K1',
    userId: null,
    tags: {},
    workId: 'r1.batch',
    createdAt: new Date(NOON),
    heldNanoUsd: 600,
    ...change,
  }
}

describe('BatchHolds.hold()', () => {
  it('holds on every meter of money that covers the batch, and on no other', async () => {
    const house = new House()
    house.set(
      ORGANIZATION,
      { tokensPerHour: 1, concurrentRequests: 0, costPerDayNanoUsd: 5000 },
      { limitNanoUsd: 1000 },
    )
    house.set(KEY, undefined, { limitNanoUsd: null })
    house.set({ scope: 'tag', id: 'deal=D-17' }, undefined, { limitNanoUsd: 700 })
    await house.holds.hold(batch({ tags: { deal: 'D-17' } }))
    expect(house.state()).toEqual(Array(4).fill([0, 600]))
  })

  it.each([
    [{ costPerDayNanoUsd: 500 }, { limitNanoUsd: 1000 }, 'cost_per_day_exceeded', 'cost per day'],
    [{ costPerDayNanoUsd: 900 }, { limitNanoUsd: 599 }, 'budget_exhausted', 'budget'],
  ])('refuses at once where it does not fit, and holds nothing: %o', async (limits, budget, code, what) => {
    const house = new House()
    house.set(ORGANIZATION, limits, budget)
    const refused = await house.holds.hold(batch()).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(GatewayError)
    expect(refused).toMatchObject({ code, message: expect.stringContaining(what) })
    expect((refused as GatewayError).message).toContain('may cost 0.0000006 USD')
    expect(house.state()).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  it('says how much is left, and that a batch under way may hold it', async () => {
    const house = new House()
    house.set(KEY, undefined, { limitNanoUsd: 1_000_000_000 })
    await house.holds.hold(batch({ heldNanoUsd: 750_000_000 }))
    await expect(
      house.holds.hold(batch({ workId: 'r2.batch', heldNanoUsd: 500_000_000 })),
    ).rejects.toMatchObject({
      message: expect.stringContaining('of the budget of this key, 1 USD, 0.25 USD are left'),
      detail: { by: 'held', held: 750_000_000 },
      retryAfterSeconds: 600,
    })
  })

  it('does without counters that are away only where nothing could refuse', async () => {
    const away = () => {
      throw new GatewayError('storage_unavailable', { message: 'away' })
    }
    const house = new House({ take: away })
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000, hardLimit: false })
    await house.holds.hold(batch())
    house.set(KEY, undefined, { limitNanoUsd: 1000 })
    await expect(house.holds.hold(batch())).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  it('asks for nothing where nothing covers the batch', async () => {
    const house = new House({ take: () => Promise.reject(new Error('asked')) })
    house.set(ORGANIZATION, { requestsPerMinute: 0 }, undefined)
    expect(house.holds.isCovered(batch())).toBe(false)
    await house.holds.hold(batch())
  })
})

describe('BatchHolds.keep()', () => {
  it('holds for 26 hours from a look to the next, and what was just taken for a quarter of one', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    await house.holds.hold(batch())
    house.time.nowMs += 16 * 60_000
    expect(house.counters.abandoned(10)).toHaveLength(1)
    await house.holds.keep(batch())
    house.time.nowMs += 25.9 * HOUR_MS
    expect(house.counters.abandoned(10)).toEqual([])
    house.time.nowMs += 0.2 * HOUR_MS
    expect(house.counters.abandoned(10)).toHaveLength(1)
  })

  it('takes again what was lost, whatever the limits say now', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    await house.holds.hold(batch())
    house.counters.release('o', 'r1.batch')
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 10 })
    await house.holds.keep(batch())
    expect(house.state()).toEqual([[0, 600]])
    await house.holds.keep(batch({ workId: 'r2.batch', heldNanoUsd: null }))
    expect(house.state()).toEqual([[0, 600]])
  })

  it('has an organization counted anew where its counters were lost', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    await house.holds.hold(batch())
    house.ledger.set('call', 30)
    house.restart()
    await house.holds.keep(batch())
    expect(house.state()).toEqual([[30, 600]])
  })
})

describe('BatchHolds.settle()', () => {
  it('turns the hold into what the batch came to, once', async () => {
    const house = new House()
    house.set(ORGANIZATION, { costPerDayNanoUsd: 1000 }, { limitNanoUsd: 1000 })
    await house.holds.hold(batch())
    await house.holds.settle(batch(), 123, true)
    await house.holds.settle(batch(), 123, false)
    expect(house.state()).toEqual([
      [123, 0],
      [123, 0],
    ])
  })

  it('counts a batch whose hold is gone, once, in the periods in which it was made', async () => {
    const house = new House()
    house.set(
      ORGANIZATION,
      { costPerDayNanoUsd: 1000 },
      { limitNanoUsd: 1000, period: { kind: 'calendar', unit: 'day' } },
    )
    await house.holds.hold(batch({ workId: 'other', heldNanoUsd: 0 }))
    house.time.nowMs += 20 * HOUR_MS
    await house.holds.settle(batch(), 123, true)
    await house.holds.settle(batch(), 123, true)
    expect(house.state()).toEqual([
      [123, 0],
      [123, 0],
    ])
  })

  it('leaves a day that is over alone', async () => {
    const house = new House()
    house.set(ORGANIZATION, { costPerDayNanoUsd: 1000 }, undefined)
    await house.holds.hold(batch({ workId: 'other', heldNanoUsd: 0 }))
    house.time.nowMs += 24 * HOUR_MS
    await house.holds.settle(batch(), 123, true)
    expect(house.state()).toEqual([[0, 0]])
  })

  it('adds nothing for a batch that the ledger had before: its hold was settled, or counted from the ledger', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    await house.holds.hold(batch())
    house.holds.release(batch())
    await house.holds.settle(batch(), 123, false)
    expect(house.state()).toEqual([[0, 0]])
  })
})

describe('BatchHolds.holdAgain()', () => {
  it('holds open batches again before any other call can take their money', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    house.batches.set('b1', batch())
    house.batches.set('b2', batch({ workId: 'r2.batch', heldNanoUsd: null }))
    house.ledger.set('call', 100)
    const refused = house.holds.hold(batch({ workId: 'r3.batch', heldNanoUsd: 400 }))
    await expect(refused).rejects.toMatchObject({ code: 'budget_exhausted' })
    expect(house.state()).toEqual([[100, 600]])
    await house.holds.hold(batch({ workId: 'r4.batch', heldNanoUsd: 300 }))
    expect(house.state()).toEqual([[100, 900]])
  })

  it('holds nothing for a batch that is in the ledger, though its mark was lost', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    house.batches.set('b1', batch())
    house.ledger.set('r1.batch', 250)
    await house.rebuild('o', house.counters.generation())
    expect(house.state()).toEqual([[250, 0]])
    await house.holds.settle(batch(), 250, false)
    expect(house.state()).toEqual([[250, 0]])
  })

  it('gives back what it took for a batch that was booked meanwhile', async () => {
    const house = new House()
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    house.batches.set('b1', batch())
    await house.holds.prepare('o')
    house.ledger.set('r1.batch', 250)
    const meter = house.meters()
    house.counters.rebuild(
      'o',
      house.counters.generation(),
      meter.map((each) => ({ meter: each, used: 250 })),
    )
    house.holds.holdAgain('o')
    await expect.poll(() => house.state()).toEqual([[250, 0]])
    expect(house.errors).toEqual([])
  })

  it('says what went wrong', async () => {
    const house = new House({ take: () => Promise.reject(new Error('gone')) })
    house.set(ORGANIZATION, undefined, { limitNanoUsd: 1000 })
    house.batches.set('b1', batch())
    await house.holds.prepare('o')
    house.holds.holdAgain('o')
    await expect.poll(() => house.errors).toHaveLength(1)
  })
})
