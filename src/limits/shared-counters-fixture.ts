import { MemoryCounters } from './memory-counters.ts'
import type { Amounts, Counters, Meter, MeterUse, TakeRequest } from './ports.ts'
import { countersAway } from './shared-counters-error.ts'

/**
 * `up`, `down` = nothing arrives, `deaf` = everything is done and no answer comes back.
 */
export type Weather = 'up' | 'down' | 'deaf'

interface Step {
  readonly atMs: number
  readonly run: (counters: MemoryCounters) => unknown
}

/** Counters that replicas share and that can be away, forget everything, or fall back to what they were. */
export class FlakyCounters {
  readonly time: { nowMs: number }
  private counters: MemoryCounters
  private readonly unknown: 'begin' | 'refuse'
  private readonly steps: Step[] = []
  private atMs: number
  private generations = 0

  constructor(time: { nowMs: number }, unknown: 'begin' | 'refuse') {
    this.time = time
    this.atMs = time.nowMs
    this.unknown = unknown
    this.counters = this.open()
  }

  /** How much was done so far, for `fallBack`. */
  get length(): number {
    return this.steps.length
  }

  /** Becomes what it was after so many steps; 0 = empty. */
  fallBack(length: number): void {
    const kept = this.steps.splice(0, this.steps.length).slice(0, length)
    const counters = this.open()
    for (const step of kept) {
      this.atMs = step.atMs
      try {
        step.run(counters)
      } catch {
        // It failed then, too.
      }
      this.steps.push(step)
    }
    this.counters = counters
    counters.renewGeneration(counters.generation())
  }

  /** What is really there, whoever can see it. */
  get truth(): MemoryCounters {
    this.atMs = this.time.nowMs
    return this.counters
  }

  /** @param weather between one replica and the store */
  connect(weather: () => Weather): Counters {
    const call = async <Result>(run: (counters: MemoryCounters) => Result): Promise<Result> => {
      await Promise.resolve()
      const now = weather()
      if (now === 'down') throw countersAway('It does not answer.')
      this.atMs = this.time.nowMs
      this.steps.push({ atMs: this.atMs, run })
      const result = run(this.counters)
      if (now === 'deaf') throw countersAway('It was not heard.')
      return result
    }
    return {
      take: (request: TakeRequest) => call((counters) => counters.take(request)),
      grow: (organizationId: string, holdId: string, more: Amounts, leaseMs: number) =>
        call((counters) => counters.grow(organizationId, holdId, more, leaseMs)),
      settle: (organizationId: string, holdId: string, actual: Amounts) =>
        call((counters) => counters.settle(organizationId, holdId, actual)),
      release: (organizationId: string, holdId: string) =>
        call((counters) => counters.release(organizationId, holdId)),
      read: (organizationId: string, meters: readonly Meter[]) =>
        call((counters) => counters.read(organizationId, meters)),
      assign: (organizationId: string, meter: Meter, used: number) =>
        call((counters) => counters.assign(organizationId, meter, used)),
      adjust: (organizationId: string, meter: Meter, delta: number, id?: string) =>
        call((counters) => counters.adjust(organizationId, meter, delta, id)),
      abandoned: (max: number) => call((counters) => counters.abandoned(max)),
      holds: (organizationId: string) => call((counters) => counters.holds(organizationId)),
      generation: () => call((counters) => counters.generation()),
      renewGeneration: (lost: string) => call((counters) => counters.renewGeneration(lost)),
      sequence: () => call((counters) => counters.sequence()),
      rebuild: (organizationId: string, generation: string, used: readonly MeterUse[]) =>
        call((counters) => counters.rebuild(organizationId, generation, used)),
      close: async () => undefined,
    }
  }

  private open(): MemoryCounters {
    const clock = { now: () => this.atMs, monotonicMs: () => this.atMs }
    return new MemoryCounters({
      clock,
      newId: () => `generation-${this.generations++}`,
      unknown: this.unknown,
    })
  }
}
