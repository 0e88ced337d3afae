import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { type Admission, createAdmission, type QuoteOf } from './admission.ts'
import { Experience } from './experience.ts'
import { MemoryCounters } from './memory-counters.ts'
import { budgetMeter, rateMeters } from './meters.ts'
import { type Budget, type Limits, NO_BUDGET, NO_LIMITS, ORGANIZATION, type Subject } from './policy.ts'
import { PolicyBook } from './policy-book.ts'
import type { Meter, MeterState } from './ports.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 21) })
})
afterEach(() => {
  vi.useRealTimers()
})

const INPUT_NANO = 1000
const OUTPUT_NANO = 4000

class World {
  readonly counters: MemoryCounters
  readonly book = new PolicyBook()
  readonly admission: Admission
  readonly meters: Meter[] = []
  spent = 0
  private generation = 0
  private calls = 0

  constructor() {
    const clock = { now: () => Date.now(), monotonicMs: () => Date.now() }
    this.counters = new MemoryCounters({ clock, newId: () => `g${this.generation++}`, unknown: 'begin' })
    this.admission = createAdmission({
      counters: this.counters,
      book: this.book,
      experience: new Experience(),
      clock,
      keepsNotes: false,
      rebuild: () => Promise.resolve(),
      countText: (text) => Promise.resolve(text.length),
      onError: (error) => {
        throw error
      },
    })
  }

  set(subject: Subject, limits: Partial<Limits> | undefined, budget: Partial<Budget> | undefined): void {
    const policy = {
      organizationId: 'o',
      subject,
      limits: limits === undefined ? undefined : { ...NO_LIMITS, ...limits },
      budget: budget === undefined ? undefined : { ...NO_BUDGET, ...budget },
    }
    this.book.put(policy)
    if (policy.limits !== undefined) this.meters.push(...rateMeters(subject, policy.limits))
    if (policy.budget !== undefined) this.meters.push(budgetMeter(subject, policy.budget, Date.now()))
  }

  states(): readonly MeterState[] {
    return this.counters.read('o', this.meters)
  }

  /** @throws where a meter is over its limit */
  check(): void {
    for (const { id, limit, used, held } of this.states()) {
      // A limit on tokens may be passed by the last call within it: what it holds is what is usual.
      if (limit !== null && used + held > limit && !id.includes('tokens'))
        throw new Error(`${id}: ${used} + ${held} > ${limit}`)
    }
  }

  exchange(options: {
    readonly bytes?: number
    readonly cap?: number
    readonly stream?: boolean
    readonly user?: string
    readonly signal?: AbortSignal
  }): Exchange {
    const { bytes = 100, cap, stream = false, user = null, signal } = options
    const json = { model: 'm', ...(cap === undefined ? {} : { max_tokens: cap }) }
    return makeExchange({
      id: `req_${this.calls++}`,
      receivedAtMs: Date.now(),
      incoming: makeIncoming(json, { stream, body: Buffer.alloc(bytes) }),
      caller: { organizationId: 'o', teamId: null, keyId: 'k', user, models: null },
      plan: { route: 'm', targets: [{ provider: 'p', model: 'm', reason: '' }] },
      ...(signal === undefined ? {} : { signal }),
    })
  }

  admit(exchange: Exchange): Promise<void> {
    return Promise.resolve().then(() => this.admission.admit(exchange, QUOTE))
  }

  settle(exchange: Exchange, inputTokens: number, outputTokens: number): void {
    const costNanoUsd = inputTokens * INPUT_NANO + outputTokens * OUTPUT_NANO
    const attempt: Attempt = makeAttempt({
      provider: 'p',
      model: 'm',
      dispatched: true,
      usage: { inputTokens, outputTokens },
      costNanoUsd,
    })
    exchange.attempts.push(attempt)
    this.spent += costNanoUsd
    this.admission.settle(exchange, true)
  }
}

const QUOTE: QuoteOf = () => ({
  quote: { costOf: (input, output) => input * INPUT_NANO + output * OUTPUT_NANO },
  priceVersion: 'v',
  unitsNanoUsd: 0,
})

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'admitted'
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error)
  }
}

describe('admit()', () => {
  it('never lets used and held pass a limit, whatever calls come, wait, leave and end in whatever order', async () => {
    const calls = fc.record({
      bytes: fc.integer({ min: 1, max: 4000 }),
      cap: fc.option(fc.integer({ min: 1, max: 3000 }), { nil: undefined }),
      stream: fc.boolean(),
      user: fc.constantFrom('ann', 'bob'),
      /** Share of what it may write that it does write. */
      writes: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const step = fc.oneof(
      fc.record({ kind: fc.constant('call' as const), call: calls }),
      fc.record({ kind: fc.constant('end' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('leave' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 3000 }) }),
    )
    let admitted = 0
    let refusals = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
        fc.integer({ min: 1, max: 40_000_000 }),
        fc.integer({ min: 1, max: 20_000_000 }),
        fc.integer({ min: 1, max: 200_000 }),
        async (steps, whole, ofAnn, tokensPerHour) => {
          const world = new World()
          world.set(ORGANIZATION, { tokensPerHour }, { limitNanoUsd: whole })
          world.set({ scope: 'user', id: 'ann' }, { concurrentRequests: 5 }, { limitNanoUsd: ofAnn })
          const running: { exchange: Exchange; bytes: number; writes: number; cap: number | undefined }[] = []
          const waiting = new Set<AbortController>()
          const pending: Promise<void>[] = []
          let refused = 0
          const begin = (call: typeof calls extends fc.Arbitrary<infer Call> ? Call : never) => {
            const controller = new AbortController()
            const exchange = world.exchange({ ...call, signal: controller.signal })
            waiting.add(controller)
            const admitted = world
              .admit(exchange)
              .then(
                () => void running.push({ exchange, ...call }),
                () => {
                  refused++
                },
              )
              .finally(() => waiting.delete(controller))
            pending.push(admitted)
          }
          const end = (which: number) => {
            const [call] = running.splice(which % Math.max(1, running.length), 1)
            if (call === undefined) return
            const { exchange, bytes, writes, cap } = call
            const held = exchange.allowance
            // A stream that is given less ends there, as a whole answer does.
            const most = Math.min(
              held?.outputTokensMax ?? Number.POSITIVE_INFINITY,
              cap ?? 32_768,
              call.exchange.incoming.stream ? heldOutput(exchange) : Number.POSITIVE_INFINITY,
            )
            world.settle(exchange, Math.floor(bytes * 0.4), Math.floor(most * writes))
          }
          for (const each of steps) {
            if (each.kind === 'call') begin(each.call)
            else if (each.kind === 'end') end(each.which)
            else if (each.kind === 'leave')
              [...waiting][each.which % Math.max(1, waiting.size)]?.abort(new Error('left'))
            else await vi.advanceTimersByTimeAsync(each.ms)
            await vi.advanceTimersByTimeAsync(0)
            world.check()
          }
          while (running.length > 0 || waiting.size > 0) {
            end(0)
            await vi.advanceTimersByTimeAsync(running.length > 0 ? 0 : 1000)
            world.check()
          }
          await Promise.all(pending)
          const budget = world.states().find(({ id }) => id === 'organization/budget')
          expect(budget).toMatchObject({ used: world.spent, held: 0 })
          admitted += pending.length - refused
          refusals += refused
          world.admission.close()
        },
      ),
      { numRuns: 500 },
    )
    // A property that is only ever refused, or only ever let in, says nothing.
    expect([admitted > 2000, refusals > 500]).toEqual([true, true])
  })

  it('lets a call wait for what calls under way hold, and refuses it once that is spent', async () => {
    const world = new World()
    world.set(ORGANIZATION, undefined, { limitNanoUsd: 5_000_000 })
    const first = world.exchange({ cap: 1000 })
    await world.admit(first)
    const second = world.exchange({ cap: 1000 })
    const third = world.exchange({ cap: 1000 })
    const outcomes = [codeOf(world.admit(second)), codeOf(world.admit(third))]
    await vi.advanceTimersByTimeAsync(100)
    world.settle(first, 40, 500)
    await vi.advanceTimersByTimeAsync(0)
    expect(second.allowance?.outputTokensMax).toBe(500)
    world.settle(second, 40, 500)
    await vi.advanceTimersByTimeAsync(0)
    expect(await Promise.all(outcomes)).toEqual(['admitted', 'budget_exhausted'])
    expect(world.states()).toMatchObject([{ used: world.spent, held: 0 }])
  })

  it('gives up waiting after ten seconds', async () => {
    const world = new World()
    world.set(ORGANIZATION, undefined, { limitNanoUsd: 5_000_000 })
    await world.admit(world.exchange({ cap: 1000 }))
    const outcome = codeOf(world.admit(world.exchange({ cap: 1000 })))
    await vi.advanceTimersByTimeAsync(10_001)
    expect(await outcome).toBe('budget_exhausted')
  })

  it('queues within its bounds where the limit says so, in the order of arrival', async () => {
    const world = new World()
    world.set(ORGANIZATION, { concurrentRequests: 1, onLimit: { queueMs: 2000, queueMax: 2 } }, undefined)
    const calls = Array.from({ length: 4 }, () => world.exchange({}))
    const admitted: number[] = []
    const outcomes = calls.map(async (exchange, index) => {
      const code = await codeOf(world.admit(exchange))
      if (code === 'admitted') admitted.push(index)
      return code
    })
    await vi.advanceTimersByTimeAsync(10)
    expect(await outcomes[3]).toBe('concurrency_exceeded')
    for (const exchange of calls.slice(0, 2)) {
      world.settle(exchange, 10, 10)
      await vi.advanceTimersByTimeAsync(0)
    }
    expect(admitted).toEqual([0, 1, 2])
  })

  it('waits in the queue for the next window where that comes in time, and not where it does not', async () => {
    const world = new World()
    world.set(ORGANIZATION, { requestsPerMinute: 1, onLimit: { queueMs: 10_000, queueMax: 10 } }, undefined)
    await world.admit(world.exchange({}))
    expect(await codeOf(world.admit(world.exchange({})))).toBe('requests_per_minute_exceeded')
    await vi.advanceTimersByTimeAsync(55_000)
    const outcome = codeOf(world.admit(world.exchange({})))
    await vi.advanceTimersByTimeAsync(5100)
    expect(await outcome).toBe('admitted')
  })

  it('forgets a caller who leaves the queue', async () => {
    const world = new World()
    world.set(ORGANIZATION, { concurrentRequests: 1, onLimit: { queueMs: 5000, queueMax: 1 } }, undefined)
    await world.admit(world.exchange({}))
    const controller = new AbortController()
    const left = codeOf(world.admit(world.exchange({ signal: controller.signal })))
    await vi.advanceTimersByTimeAsync(0)
    controller.abort(new GatewayError('client_closed', { message: 'gone' }))
    expect(await left).toBe('client_closed')
    const next = codeOf(world.admit(world.exchange({})))
    await vi.advanceTimersByTimeAsync(5001)
    expect(await next).toBe('concurrency_exceeded')
  })

  it('says what the limits leave', async () => {
    const world = new World()
    world.set(ORGANIZATION, { requestsPerMinute: 10, tokensPerHour: 100_000 }, { limitNanoUsd: 900_000_000 })
    const exchange = world.exchange({ cap: 100 })
    await world.admit(exchange)
    expect(exchange.allowance?.requests).toEqual({ limit: 10, remaining: 9, resetsInMs: 60_000 })
    expect(exchange.allowance?.tokens).toMatchObject({ limit: 100_000, resetsInMs: 3_600_000 })
    expect(exchange.allowance?.budgetRemainingNanoUsd).toBe(
      900_000_000 - (512 * INPUT_NANO + 100 * OUTPUT_NANO),
    )
  })

  it('renews the lease of a call that lasts', async () => {
    const world = new World()
    world.set(ORGANIZATION, undefined, { limitNanoUsd: 900_000_000 })
    await world.admit(world.exchange({}))
    await vi.advanceTimersByTimeAsync(120_000)
    expect(world.counters.abandoned(10)).toEqual([])
    world.admission.close()
    await vi.advanceTimersByTimeAsync(40_000)
    expect(world.counters.abandoned(10)).toHaveLength(1)
  })
})

describe('settle()', () => {
  it('gives everything back, the request too, where nothing was sent', async () => {
    const world = new World()
    world.set(ORGANIZATION, { requestsPerMinute: 1 }, { limitNanoUsd: 900_000_000 })
    const exchange = world.exchange({})
    await world.admit(exchange)
    world.admission.settle(exchange, false)
    expect(world.states()).toMatchObject([
      { used: 0, held: 0 },
      { used: 0, held: 0 },
    ])
  })

  it('counts a call that costs nothing by tokens alone', async () => {
    const world = new World()
    world.set(ORGANIZATION, { requestsPerMinute: 10 }, { limitNanoUsd: 900_000_000 })
    const exchange = world.exchange({})
    await world.admit(exchange)
    exchange.attempts.push(makeAttempt({ dispatched: true, usage: {}, costNanoUsd: 0 }))
    world.admission.settle(exchange, false)
    world.admission.settle(exchange, false)
    expect(world.states()).toMatchObject([
      { used: 1, held: 0 },
      { used: 0, held: 0 },
    ])
  })
})

function makeAttempt(changes: Partial<Attempt>): Attempt {
  return {
    id: 'a',
    number: 1,
    provider: 'p',
    model: 'm',
    reason: '',
    startedMs: 0,
    price: { version: 'v', known: true },
    headersMs: undefined,
    firstTokenMs: undefined,
    endedMs: undefined,
    status: 200,
    dispatched: true,
    usage: {},
    units: {},
    outputText: '',
    estimated: false,
    costNanoUsd: 0,
    errorCode: undefined,
    errorMessage: undefined,
    upstreamRequestId: undefined,
    ...changes,
  }
}

function heldOutput(exchange: Exchange): number {
  return (exchange.allowance as unknown as { outputTokens: number } | undefined)?.outputTokens ?? 0
}
