import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CountersModel } from './counters-model.ts'
import { amounts, type Bench } from './counters-samples.ts'
import type { Amounts, Meter, TakeResult, Window } from './ports.ts'

const RUNS = 1000
const PARALLEL_RUNS = 100
const TIMEOUT_MS = 240_000
const CLAIM_MS = 10_000
const FOUND_MS = 1000
const SPAN_MS = 5000

const few = fc.integer({ min: 0, max: 12 })
const someAmounts = fc.record({
  requests: fc.integer({ min: 0, max: 2 }),
  tokens: few,
  costNanoUsd: few,
})
const holdId = fc.constantFrom('a', 'b', 'c', 'd')
const replica = fc.nat(7)
const meterIndex = fc.nat(5)
const leaseMs = fc.constantFrom(1, 900, 4000, 60_000)
/** Around the ends of windows and leases, and far beyond. */
const passing = fc.constantFrom(
  1,
  500,
  999,
  1000,
  1001,
  SPAN_MS - 1,
  SPAN_MS,
  SPAN_MS + 1,
  12_000,
  90_000_000,
)

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      replica,
      holdId,
      meters: fc.uniqueArray(meterIndex, { maxLength: 6 }),
      amounts: someAmounts,
      leaseMs,
      note: fc.option(fc.string({ maxLength: 12 }), { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('grow' as const),
      replica,
      holdId,
      amounts: someAmounts,
      leaseMs,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), replica, holdId, amounts: someAmounts }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), replica, holdId }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: passing }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), replica }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('assign' as const), replica, meter: meterIndex, used: few }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('adjust' as const),
      replica,
      meter: meterIndex,
      delta: fc.integer({ min: -12, max: 12 }),
      id: fc.constantFrom(undefined, 'x', 'y'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('limit' as const),
      meter: meterIndex,
      limit: fc.option(fc.integer({ min: 0, max: 20 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('length' as const),
      meter: fc.nat(1),
      ms: fc.constantFrom(1, SPAN_MS, 2 * SPAN_MS),
    }),
  },
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

/** One run: the same operations on the counters and on the model. */
class Comparison {
  readonly here: Bench
  readonly model: CountersModel
  private readonly limits: (number | null)[] = [3, 20, 15, 2, null, 10]
  private readonly lengths = [SPAN_MS, 2 * SPAN_MS]
  private readonly startMs: number

  constructor(here: Bench) {
    this.here = here
    this.startMs = here.target.time.nowMs
    this.model = new CountersModel(this.startMs)
  }

  async step(operation: Operation): Promise<void> {
    const { organizationId, target } = this.here
    if (operation.kind === 'pass') {
      target.time.nowMs += operation.ms
      this.model.nowMs = target.time.nowMs
    } else if (operation.kind === 'limit') {
      this.limits[operation.meter] = operation.limit
    } else if (operation.kind === 'length') {
      this.lengths[operation.meter] = operation.ms
    } else {
      const counters = target.replicas[operation.replica % target.replicas.length] ?? this.here.counters
      if (operation.kind === 'take') {
        const { holdId, leaseMs, note } = operation
        const meters = operation.meters.map((index) => this.meter(index))
        const isNew = !this.model.holds.has(holdId)
        const request = { organizationId, holdId, meters, amounts: operation.amounts, leaseMs, note }
        const result = await counters.take(request)
        expect(result).toEqual(this.model.take(holdId, meters, operation.amounts, leaseMs, note))
        if (isNew) expectWithin(result, meters, operation.amounts)
      } else if (operation.kind === 'grow') {
        const { holdId, leaseMs } = operation
        const result = await counters.grow(organizationId, holdId, operation.amounts, leaseMs)
        expect(result).toEqual(this.model.grow(holdId, operation.amounts, leaseMs))
      } else if (operation.kind === 'settle') {
        const { holdId } = operation
        const settled = await counters.settle(organizationId, holdId, operation.amounts)
        expect(settled).toBe(this.model.end(holdId, operation.amounts))
      } else if (operation.kind === 'release') {
        const released = await counters.release(organizationId, operation.holdId)
        expect(released).toBe(this.model.end(operation.holdId, undefined))
      } else if (operation.kind === 'assign') {
        const meter = this.meter(operation.meter)
        await counters.assign(organizationId, meter, operation.used)
        this.model.assign(meter, operation.used)
      } else if (operation.kind === 'adjust') {
        const meter = this.meter(operation.meter)
        await counters.adjust(organizationId, meter, operation.delta, operation.id)
        this.model.adjust(meter, operation.delta, operation.id)
      } else await this.expire(counters)
    }
    // The period before this one is compared too: what is settled late belongs there.
    const meters = [...this.limits.map((_, index) => this.meter(index)), this.meter(2, -1)]
    const reader = target.replicas.at(-1) ?? this.here.counters
    expect(await reader.read(organizationId, meters)).toEqual(this.model.read(meters))
  }

  /** Ends what is open, so that nothing of this run is found by the next. */
  async finish(): Promise<void> {
    const { counters, organizationId } = this.here
    const open = await counters.holds(organizationId)
    expect(open.map((hold) => hold.holdId).sort()).toEqual([...this.model.holds.keys()].sort())
    for (const hold of open) {
      expect(hold.note).toBe(this.model.holds.get(hold.holdId)?.note)
      expect(await counters.settle(organizationId, hold.holdId, amounts(0, 5, 5))).toBe(true)
      this.model.end(hold.holdId, amounts(0, 5, 5))
    }
    const meters = this.limits.map((_, index) => this.meter(index))
    const states = await counters.read(organizationId, meters)
    expect(states).toEqual(this.model.read(meters))
    for (const { held } of states) expect(held).toBe(0)
    expect(await counters.holds(organizationId)).toEqual([])
  }

  private async expire(counters: Bench['counters']): Promise<void> {
    const { nowMs } = this.model
    const found = await counters.abandoned(1000)
    const ids = new Set<string>()
    for (const hold of found) {
      if (hold.organizationId !== this.here.organizationId) continue
      ids.add(hold.holdId)
      const known = this.model.holds.get(hold.holdId)
      expect(hold.leaseEndsMs).toBe(known?.leaseEndsMs)
      expect(hold.note).toBe(known?.note)
      expect(hold.leaseEndsMs).toBeLessThanOrEqual(nowMs)
      if (known !== undefined) known.leaseEndsMs = nowMs + CLAIM_MS
    }
    for (const [id, { leaseEndsMs }] of this.model.holds) {
      if (!ids.has(id)) expect(leaseEndsMs + FOUND_MS).toBeGreaterThan(nowMs)
    }
  }

  /** Two meters that roll, two of a period, one that never ends and one of calls under way. */
  private meter(index: number, periods = 0): Meter {
    const limit = this.limits[index] ?? null
    const startMs =
      this.startMs + 3 * SPAN_MS * (Math.floor((this.model.nowMs - this.startMs) / (3 * SPAN_MS)) + periods)
    const month: Window = { kind: 'period', startMs, endMs: startMs + 3 * SPAN_MS }
    const meters: readonly Meter[] = [
      {
        id: 'organization/requests_per_minute',
        quantity: 'requests',
        limit,
        window: { kind: 'rolling', ms: this.lengths[0] ?? SPAN_MS },
      },
      {
        id: 'team/T/tokens_per_hour',
        quantity: 'tokens',
        limit,
        window: { kind: 'rolling', ms: this.lengths[1] ?? SPAN_MS },
      },
      { id: 'key/K/cost_per_month', quantity: 'costNanoUsd', limit, window: month },
      { id: 'key/K/concurrent_requests', quantity: 'concurrency', limit, window: { kind: 'none' } },
      { id: 'user/U/tokens_per_month', quantity: 'tokens', limit, window: month },
      { id: 'tag/a=b/cost_ever', quantity: 'costNanoUsd', limit, window: { kind: 'none' } },
    ]
    const meter = meters[index]
    if (meter === undefined) throw new Error(`There is no meter ${index}.`)
    return meter
  }
}

function expectWithin(result: TakeResult, meters: readonly Meter[], wanted: Amounts): void {
  if (!result.granted) return
  for (const [index, { limit, used, held }] of result.states.entries()) {
    const quantity = meters[index]?.quantity ?? 'concurrency'
    const amount = quantity === 'concurrency' ? 1 : wanted[quantity]
    if (limit !== null && amount > 0) expect(used + held).toBeLessThanOrEqual(limit)
  }
}

/** Random interleavings of everything, compared with a model step by step and, in parallel, with what must hold. */
export function testProperties(bench: () => Bench): void {
  describe('random interleavings', () => {
    it(
      `counters do what the model does, in ${RUNS} interleavings over all replicas`,
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 24 }), async (operations) => {
            const comparison = new Comparison(bench())
            for (const step of operations) await comparison.step(step)
            await comparison.finish()
          }),
          { numRuns: RUNS },
        )
      },
      TIMEOUT_MS,
    )

    const call = fc.record({
      replica,
      want: fc.integer({ min: 1, max: 30 }),
      more: fc.integer({ min: 0, max: 20 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      how: fc.constantFrom('settle', 'release', 'twice'),
    })
    it(
      'counters never hold more than a limit while calls run in parallel, and end at what was settled',
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(call, { minLength: 2, maxLength: 40 }), async (calls) => {
            const here = bench()
            const { organizationId, target } = here
            const meters: readonly Meter[] = ['organization', 'team/T', 'key/K'].map((scope, index) => ({
              id: `${scope}/cost_per_month`,
              quantity: 'costNanoUsd',
              limit: 200 - 20 * index,
              window: { kind: 'rolling', ms: SPAN_MS },
            }))
            let settledTotal = 0
            const within = (result: TakeResult | undefined) => {
              for (const { used, held, limit } of result?.states ?? []) {
                expect(used + held).toBeLessThanOrEqual(limit ?? 0)
              }
              return result?.granted === true
            }
            await Promise.all(
              calls.map(async ({ replica, want, more, share, how }, index) => {
                const counters = target.replicas[replica % target.replicas.length] ?? here.counters
                const holdId = `call${index}`
                const request = { organizationId, holdId, meters, leaseMs: SPAN_MS }
                if (!within(await counters.take({ ...request, amounts: amounts(1, 0, want) }))) return
                let held = want
                if (within(await counters.grow(organizationId, holdId, amounts(0, 0, more), SPAN_MS)))
                  held += more
                if (how === 'release') {
                  expect(await counters.release(organizationId, holdId)).toBe(true)
                  return
                }
                const actual = amounts(1, 0, Math.floor(held * share))
                const times = how === 'twice' ? 2 : 1
                const settled = await Promise.all(
                  Array.from({ length: times }, async () => counters.settle(organizationId, holdId, actual)),
                )
                expect(settled.filter(Boolean)).toHaveLength(1)
                settledTotal += actual.costNanoUsd
              }),
            )
            for (const state of await here.counters.read(organizationId, meters)) {
              expect(state).toMatchObject({ used: settledTotal, held: 0 })
            }
          }),
          { numRuns: PARALLEL_RUNS },
        )
      },
      TIMEOUT_MS,
    )
  })
}
