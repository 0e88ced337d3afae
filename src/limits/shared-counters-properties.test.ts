import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amounts, LEASE_MS, period } from './counters-samples.ts'
import type { Meter } from './ports.ts'
import { SharedCounters } from './shared-counters.ts'
import { isAway } from './shared-counters-error.ts'
import { FlakyCounters, type Weather } from './shared-counters-fixture.ts'

const RUNS = 1000
const TIMEOUT_MS = 240_000
const START_MS = Date.UTC(2026, 0, 1)
const O = 'acme'
const REPLICAS = 2
/** All replicas look after themselves at least so often; really it is once a second. */
const STEP_MS = 10_000
/** The rest of a share's lease in which it is not spent from: no call lasts longer. */
const CALL_MS_MAX = 200_000
const LIMITS = [1000, 700, 600] as const

const meters: readonly Meter[] = LIMITS.map((limit, index) =>
  period(`${['organization', 'team/T', 'key/K'][index]}/budget`, 'costNanoUsd', limit, START_MS, 10 ** 12),
)

interface Call {
  readonly id: string
  readonly replica: Replica
  readonly meters: readonly number[]
  readonly startedMs: number
  held: number
}

interface Replica {
  readonly counters: SharedCounters
  weather: Weather
  /** So many calls to the store get through yet, whatever the weather. */
  luck: number
  isDead: boolean
}

/** Replicas, their callers, and a ledger of what was really spent. */
class World {
  readonly time = { nowMs: START_MS }
  readonly store = new FlakyCounters(this.time, 'refuse')
  readonly spent = [0, 0, 0]
  readonly replicas: Replica[] = []
  readonly open = new Map<string, Call>()
  /** What the ledger has, by the id of the hold. */
  readonly booked = new Map<string, number>()
  isDoubtful = false
  private ids = 0

  constructor() {
    for (let index = 0; index < REPLICAS; index++) this.replicas.push(this.start())
  }

  at(index: number): Replica {
    const replica = this.replicas[index % REPLICAS]
    if (replica === undefined) throw new Error('There is no such replica.')
    return replica
  }

  async take(index: number, covered: readonly number[], nanoUsd: number): Promise<string | undefined> {
    const replica = this.at(index)
    const id = `h${this.ids++}`
    const wanted = amounts(1, 0, nanoUsd)
    const covering = covered.map((at) => meters[at] as Meter)
    const request = { organizationId: O, holdId: id, meters: covering, amounts: wanted, leaseMs: LEASE_MS }
    const result = await this.counting(replica, () => replica.counters.take(request))
    if (result?.granted !== true) return undefined
    this.open.set(id, { id, replica, meters: covered, startedMs: this.time.nowMs, held: nanoUsd })
    return id
  }

  async grow(which: number, nanoUsd: number): Promise<void> {
    const call = this.pick(which)
    if (call === undefined) return
    const { counters } = call.replica
    const result = await this.counting(call.replica, () =>
      counters.grow(O, call.id, amounts(0, 0, nanoUsd), LEASE_MS),
    )
    if (result?.granted === true && this.open.has(call.id)) call.held += nanoUsd
  }

  async settle(which: number, part: number): Promise<void> {
    const call = this.pick(which)
    if (call !== undefined) await this.end(call, Math.floor(call.held * part))
  }

  async release(which: number): Promise<void> {
    const call = this.pick(which)
    if (call === undefined) return
    this.open.delete(call.id)
    await this.tolerant(() => call.replica.counters.release(O, call.id))
  }

  /** Many small calls, one after the other. */
  async burst(index: number, covered: readonly number[], count: number): Promise<void> {
    for (let done = 0; done < count; done++) {
      const id = await this.take(index, covered, 4)
      const call = id === undefined ? undefined : this.open.get(id)
      if (call !== undefined) await this.end(call, 4)
    }
  }

  /** One call that takes all that is free of a budget, so that whatever else is spent of it shows. */
  async fill(index: number, covered: readonly number[]): Promise<void> {
    const free = covered.map((at) => {
      const [state] = this.store.truth.read(O, [meters[at] as Meter])
      return (state?.limit ?? 0) - (state?.used ?? 0) - (state?.held ?? 0)
    })
    const id = await this.take(index, covered, Math.max(0, Math.min(...free)))
    const call = id === undefined ? undefined : this.open.get(id)
    if (call !== undefined) await this.end(call, call.held)
  }

  turn(index: number, weather: Weather, luck: number): void {
    Object.assign(this.at(index), { weather, luck })
  }

  /** As in life: the row is written, and then the counters are told. */
  private async end(call: Call, nanoUsd: number): Promise<void> {
    this.open.delete(call.id)
    this.book(call.id, call.meters, nanoUsd)
    await this.tolerant(() => call.replica.counters.settle(O, call.id, amounts(1, 0, nanoUsd)))
  }

  private book(id: string, covered: readonly number[], nanoUsd: number): void {
    if (this.booked.has(id)) return
    this.booked.set(id, nanoUsd)
    for (const index of covered) this.spent[index] = (this.spent[index] ?? 0) + nanoUsd
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.time.nowMs += Math.min(left, STEP_MS)
      for (const call of [...this.open.values()]) {
        if (this.time.nowMs - call.startedMs >= CALL_MS_MAX) await this.end(call, call.held)
        else await this.tolerant(() => call.replica.counters.grow(O, call.id, amounts(0), LEASE_MS))
      }
      await this.tickAll()
    }
  }

  async tickAll(): Promise<void> {
    for (const { counters } of this.replicas) await counters.tick()
  }

  /** What a process does with holds that nobody ended: charges what the ledger has of them, or else all of it. */
  async sweep(index: number): Promise<void> {
    const { counters } = this.at(index)
    const found = (await this.tolerant(() => counters.abandoned(100))) ?? []
    for (const { holdId, meterIds, amounts: held } of found) {
      this.book(
        holdId,
        meterIds.map((id) => meters.findIndex((meter) => meter.id === id)),
        held.costNanoUsd,
      )
      const call = this.open.get(holdId)
      this.open.delete(holdId)
      const actual = amounts(1, 0, this.booked.get(holdId) ?? 0)
      await this.tolerant(() => counters.settle(O, holdId, actual))
      // It may be alive all the same, and only cut off.
      if (call !== undefined) await this.tolerant(() => call.replica.counters.settle(O, holdId, actual))
    }
    await this.tickAll()
  }

  /** The process is gone, and with it what it had under way; another takes its place. */
  die(index: number): void {
    const replica = this.at(index)
    replica.isDead = true
    for (const call of [...this.open.values()]) if (call.replica === replica) this.open.delete(call.id)
    this.replicas[index % REPLICAS] = this.start()
  }

  /** The store comes back as it was once; everybody finds out, and it is counted anew. */
  async lose(part: number): Promise<void> {
    this.isDoubtful = true
    for (const replica of this.replicas) replica.weather = 'up'
    this.store.fallBack(Math.floor(this.store.length * part))
    await this.tickAll()
    await this.rebuild(this.at(0))
    await this.tickAll()
  }

  /** Everybody is back, and everything is over. */
  async finish(): Promise<void> {
    for (const replica of this.replicas) replica.weather = 'up'
    await this.tickAll()
    while (this.open.size > 0) await this.settle(0, 0.5)
    // The leases of whoever died end.
    for (let round = 0; round < 4; round++) {
      await this.pass(600_000)
      await this.sweep(0)
    }
    await this.pass(12_000)
    await this.sweep(0)
    for (const { counters } of this.replicas) {
      await counters.tick()
      expect(counters.sizes).toMatchObject({ waiting: 0, calls: 0 })
      await counters.close()
    }
  }

  /** Every replica uses every budget, and has a share of it. */
  async warmUp(): Promise<void> {
    for (let index = 0; index < REPLICAS; index++) await this.burst(index, [0, 1, 2], 1)
    await this.tickAll()
  }

  check(): void {
    for (const [index, limit] of LIMITS.entries()) {
      let held = 0
      for (const call of this.open.values()) if (call.meters.includes(index)) held += call.held
      expect((this.spent[index] ?? 0) + held).toBeLessThanOrEqual(limit)
    }
  }

  private start(): Replica {
    const name = `p${this.ids++}`
    let unique = 0
    const clock = { now: () => this.time.nowMs, monotonicMs: () => this.time.nowMs }
    const replica: { -readonly [Key in keyof Replica]?: Replica[Key] } = {
      weather: 'up',
      luck: 0,
      isDead: false,
    }
    replica.counters = new SharedCounters({
      shared: this.store.connect(() => {
        if (replica.isDead === true) return 'down'
        replica.luck = (replica.luck ?? 0) - 1
        return replica.luck >= 0 ? 'up' : (replica.weather ?? 'up')
      }),
      clock,
      newId: () => `${name}.${unique++}`,
      ticks: false,
      onDoubt: () => this.reconcile(),
    })
    return replica as Replica
  }

  /** Puts the books in the place of what was counted. */
  private reconcile(): void {
    this.isDoubtful = true
    for (const [index, meter] of meters.entries()) this.store.truth.assign(O, meter, this.spent[index] ?? 0)
  }

  private async rebuild({ counters }: Replica): Promise<void> {
    const generation = await counters.generation()
    const used = meters.map((meter, index) => ({ meter, used: this.spent[index] ?? 0 }))
    await counters.rebuild(O, generation, used)
  }

  private async counting<Result>(replica: Replica, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work()
    } catch (error) {
      if (isAway(error)) return undefined
      await this.tolerant(() => this.rebuild(replica))
      return this.tolerant(work)
    }
  }

  private async tolerant<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!isAway(error)) throw error
      return undefined
    }
  }

  private pick(which: number): Call | undefined {
    return [...this.open.values()][which % Math.max(1, this.open.size)]
  }
}

const replica = fc.nat(REPLICAS - 1)
const which = fc.nat(20)
const nanoUsd = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) },
)
const covered = fc.constantFrom([0], [0, 1], [0, 1, 2], [0, 2])

type Operation = (world: World) => unknown

const call: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.tuple(replica, covered, nanoUsd).map((t) => named('take', t, (w) => w.take(...t))),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(replica, covered, fc.integer({ min: 1, max: 20 }))
      .map((t) => named('burst', t, (w) => w.burst(...t))),
  },
  { weight: 3, arbitrary: fc.tuple(replica, covered).map((t) => named('fill', t, (w) => w.fill(...t))) },
  { weight: 4, arbitrary: fc.tuple(which, nanoUsd).map((t) => named('grow', t, (w) => w.grow(...t))) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(which, fc.double({ min: 0, max: 1, noNaN: true }))
      .map((t) => named('settle', t, (w) => w.settle(...t))),
  },
  { weight: 1, arbitrary: fc.tuple(which).map((t) => named('release', t, (w) => w.release(...t))) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(replica, fc.constantFrom<Weather[]>('up', 'down', 'deaf'), fc.nat(6))
      .map((t) => named('weather', t, (w) => w.turn(...t))),
  },
  { weight: 6, arbitrary: fc.tuple(replica).map((t) => named('tick', t, (w) => w.at(...t).counters.tick())) },
)

/** Calls run side by side; what moves the time or takes a process away is an event of its own. */
const event: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .array(call, { minLength: 1, maxLength: 6 })
      .map((calls) =>
        named('parallel', calls, (w) => Promise.all(calls.map((each) => each(w))).then(() => {})),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom([100], [5000], [40_000], [700_000], [1_000_000])
      .map((t) => named('pass', t, (w) => w.pass(t[0] ?? 0))),
  },
  { weight: 2, arbitrary: fc.tuple(replica).map((t) => named('sweep', t, (w) => w.sweep(...t))) },
  { weight: 1, arbitrary: fc.tuple(replica).map((t) => named('die', t, (w) => w.die(...t))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 0.3, 0.7, 0.95, 1))
      .map((t) => named('lose', t, (w) => w.lose(...t))),
  },
)

/** A step whose name is printed where a run fails. */
function named(name: string, args: readonly unknown[], run: Operation): Operation {
  return Object.assign((world: World) => run(world), {
    [fc.toStringMethod]: () => `${name}(${args.map((arg) => fc.stringify(arg)).join(', ')})`,
  })
}

describe('SharedCounters', () => {
  it(
    `spend no more than any limit in ${RUNS} interleavings of outages, losses and deaths, and the books agree`,
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof({ weight: 2, arbitrary: call }, { weight: 1, arbitrary: event }), {
            maxLength: 40,
          }),
          async (operations) => {
            const world = new World()
            await world.lose(0)
            await world.warmUp()
            world.isDoubtful = false
            for (const step of operations) {
              await step(world)
              world.check()
            }
            await world.finish()
            world.check()
            const states = world.store.truth.read(O, meters)
            for (const [index, { used, held }] of states.entries()) {
              const spent = world.spent[index] ?? 0
              expect(held).toBe(0)
              // In doubt it counts more and never less, until the books are compared.
              if (world.isDoubtful) expect(used).toBeGreaterThanOrEqual(spent)
              else expect(used).toBe(spent)
            }
          },
        ),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )
})
