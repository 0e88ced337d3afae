import { describe, expect, it } from 'vitest'
import { describeCounters } from './counters-conformance.ts'
import { amounts, concurrency, MINUTE_MS, period, rolling } from './counters-samples.ts'
import { MemoryCounters } from './memory-counters.ts'

const START_MS = Date.UTC(2026, 0, 1)

function open(unknown: 'begin' | 'refuse' = 'begin') {
  const time = { nowMs: START_MS }
  let ids = 0
  const clock = { now: () => time.nowMs, monotonicMs: () => time.nowMs }
  const counters = new MemoryCounters({ clock, newId: () => `generation-${ids++}`, unknown })
  return { time, counters }
}

describeCounters('counters in memory', async ({ unknown }) => {
  const { time, counters } = open(unknown)
  return { replicas: [counters], time, close: () => counters.close() }
})

describe('MemoryCounters', () => {
  const meters = [
    rolling('organization/requests_per_minute', 'requests', null),
    rolling('key/K/tokens_per_minute', 'tokens', null),
    period('key/K/cost_per_month', 'costNanoUsd', null, START_MS, 10 * MINUTE_MS),
    concurrency('key/K/concurrent_requests', 10),
  ]
  const call = (counters: MemoryCounters, organizationId: string) => {
    const request = { organizationId, holdId: 'h', meters, amounts: amounts(1, 1, 1), leaseMs: MINUTE_MS }
    expect(counters.take(request).granted).toBe(true)
    expect(counters.settle(organizationId, 'h', amounts(1, 1, 1))).toBe(true)
  }

  it('take() forgets, with each call, organizations whose windows have ended', () => {
    const { time, counters } = open()
    const count = 5000
    for (let index = 0; index < count; index++) call(counters, `quiet-${index}`)
    expect(counters.size).toBe(count)
    time.nowMs += 2 * 86_400_000
    for (let index = 0; index < count; index++) {
      call(counters, 'busy')
      time.nowMs++
    }
    expect(counters.size).toBe(1)
  })

  it('abandoned() forgets them too, while nothing is taken', () => {
    const { time, counters } = open()
    for (let index = 0; index < 100; index++) call(counters, `quiet-${index}`)
    time.nowMs += 2 * 86_400_000
    counters.abandoned(1)
    expect(counters.size).toBe(0)
  })

  it('take() remembers nothing of an organization that it refused', () => {
    const { counters } = open()
    const refusing = [rolling('organization/requests_per_minute', 'requests', 0)]
    const request = { organizationId: 'o', holdId: 'h', meters: refusing, amounts: amounts(1), leaseMs: 1 }
    expect(counters.take(request).granted).toBe(false)
    expect(counters.size).toBe(0)
  })

  it('take() keeps a window as long as it was last named', () => {
    const { time, counters } = open()
    const request = { organizationId: 'o', amounts: amounts(1), leaseMs: MINUTE_MS }
    const named = (ms: number) => [rolling('key/K/requests_per_window', 'requests', 1, ms)]
    counters.take({ ...request, holdId: 'a', meters: named(MINUTE_MS) })
    counters.take({ ...request, holdId: 'b', meters: named(10 * MINUTE_MS) })
    time.nowMs += 5 * MINUTE_MS
    counters.abandoned(0)
    expect(counters.take({ ...request, holdId: 'c', meters: named(10 * MINUTE_MS) })).toMatchObject({
      granted: false,
      retryAfterMs: 5 * MINUTE_MS,
    })
  })

  it('rebuild() of an organization that then counts nothing is forgotten after an hour', () => {
    const { time, counters } = open('refuse')
    expect(counters.rebuild('o', counters.generation(), [])).toBe(true)
    const request = { organizationId: 'o', holdId: 'h', meters: [], amounts: amounts(1), leaseMs: 1 }
    expect(counters.take(request).granted).toBe(true)
    counters.release('o', 'h')
    expect(counters.take(request).granted).toBe(true)
    counters.release('o', 'h')
    time.nowMs += 3_601_000
    counters.abandoned(1)
    expect(counters.size).toBe(0)
    expect(() => counters.take(request)).toThrow()
  })
})
