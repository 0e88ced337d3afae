import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { codeOf, INPUT_NANO, OUTPUT_NANO, World } from './fixtures/admission-world.ts'
import { makeAttempt } from './fixtures/make-limits.ts'
import { ORGANIZATION } from './policy.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 21) })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('admit()', () => {
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
