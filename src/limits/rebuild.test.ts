import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { MemoryCounters } from './memory-counters.ts'
import { metersOf } from './meters.ts'
import { NO_BUDGET, NO_LIMITS, ORGANIZATION, type Policy } from './policy.ts'
import type { CountersLost } from './ports.ts'
import { createRebuilder, type RebuilderOptions } from './rebuild.ts'
import { FakeBooks, type FakeRow } from './reconcile/fixtures/fake-books.ts'

const NOW = Date.UTC(2026, 1, 10, 12)
const DAY = 86_400_000

const POLICIES: readonly Policy[] = [
  {
    organizationId: 'acme',
    subject: ORGANIZATION,
    limits: { ...NO_LIMITS, requestsPerMinute: 60, tokensPerHour: 100_000, concurrentRequests: 5 },
    budget: { ...NO_BUDGET, limitNanoUsd: 1000 },
  },
  {
    organizationId: 'acme',
    subject: { scope: 'key', id: 'K1' },
    limits: { ...NO_LIMITS, costPerDayNanoUsd: 500 },
    budget: NO_BUDGET,
  },
]

function row(id: string, atMs: number, costNanoUsd: number, keyId = 'K1'): FakeRow {
  return { id, requestId: id, organizationId: 'acme', keyId, atMs, tokens: 10, costNanoUsd }
}

function setUp(given: Partial<RebuilderOptions> = {}) {
  let generations = 0
  const time = { nowMs: NOW }
  const counters = new MemoryCounters({
    clock: { now: () => time.nowMs, monotonicMs: () => time.nowMs },
    newId: () => `g${++generations}`,
    unknown: 'refuse',
  })
  const books = new FakeBooks()
  const errors: unknown[] = []
  const rebuilt: string[] = []
  const rebuilder = createRebuilder({
    counters,
    spent: books,
    policiesOf: () => POLICIES,
    flush: books.flush,
    now: () => time.nowMs,
    onError: (error) => errors.push(error),
    onRebuilt: (organizationId) => rebuilt.push(organizationId),
    ...given,
  })
  const take = (holdId: string, costNanoUsd: number) =>
    counters.take({
      organizationId: 'acme',
      holdId,
      meters: POLICIES.flatMap((policy) => metersOf(policy, time.nowMs)),
      amounts: { requests: 1, tokens: 10, costNanoUsd },
      leaseMs: 30_000,
    })
  return { counters, books, rebuilder, errors, rebuilt, time, take }
}

describe('Rebuilder.ensure()', () => {
  it('leaves a call to settle itself while its lease goes on', async () => {
    const { counters, books, rebuilder, take, time } = setUp()
    await rebuilder.ensure('acme', 'g1')
    take('ending', 100)
    books.record(row('ending', NOW, 70))
    await rebuilder.ensure('acme', 'g1')
    expect(counters.holds('acme')).toHaveLength(1)
    time.nowMs += 30_000
    await rebuilder.ensure('acme', counters.renewGeneration('g1'))
    expect(counters.holds('acme')).toEqual([])
    const budget = take('next', 1).states.find(({ id }) => id === 'organization/budget')
    expect(budget).toMatchObject({ used: 70, held: 1 })
  })
})

describe('Rebuilder.rebuild()', () => {
  it('counts again what the ledger and the journal before it have, in each window', async () => {
    const { books, rebuilder, take, rebuilt } = setUp()
    books.record(row('in the journal', NOW - 1000, 100))
    await books.flush()
    books.record(row('a minute ago', NOW - 59_000, 200))
    books.record(row('half an hour ago', NOW - DAY / 48, 50, 'K2'))
    books.record(row('yesterday', NOW - 1.5 * DAY, 40))
    books.record(row('last month', NOW - 20 * DAY, 1000))
    let lost: unknown
    try {
      take('call', 1)
    } catch (error) {
      lost = (error as GatewayError).detail
    }
    const { generation } = lost as CountersLost
    await rebuilder.rebuild('acme', generation)
    const { granted, states } = take('call', 1)
    expect(granted).toBe(true)
    expect(states.map(({ id, used, held }) => [id, used, held])).toEqual([
      ['organization/requests_per_minute', 2, 1],
      ['organization/tokens_per_hour', 30, 10],
      ['organization/concurrent_requests', 0, 1],
      ['organization/budget', 390, 1],
      ['key/K1/cost_per_day', 300, 1],
      ['key/K1/budget', 340, 1],
    ])
    expect(rebuilt).toEqual(['acme'])
  })

  it('counts a call once whose settlement the counters never heard of', async () => {
    const { counters, books, rebuilder, take } = setUp()
    await rebuilder.rebuild('acme', 'g1')
    take('unheard', 100)
    take('under way', 30)
    books.record(row('unheard', NOW, 70))
    await rebuilder.rebuild('acme', counters.renewGeneration('g1'))
    expect(counters.settle('acme', 'unheard', { requests: 1, tokens: 10, costNanoUsd: 70 })).toBe(false)
    const budget = take('next', 1).states.find(({ id }) => id === 'organization/budget')
    expect(budget).toMatchObject({ used: 70, held: 31 })
  })

  it('refuses at once what the books leave no room for', async () => {
    const { books, rebuilder, take } = setUp()
    books.record(row('much', NOW - 5 * DAY, 999, 'K2'))
    await rebuilder.rebuild('acme', 'g1')
    expect(take('too much', 2)).toMatchObject({ granted: false, refusedBy: 'organization/budget' })
    expect(take('enough', 1).granted).toBe(true)
  })

  it('asks the ledger once for all who wait, and not again where another was first', async () => {
    const { books, rebuilder, counters, rebuilt, take } = setUp()
    await Promise.all(Array.from({ length: 100 }, () => rebuilder.rebuild('acme', 'g1')))
    expect(books.asked).toHaveLength(1)
    take('call', 7)
    counters.settle('acme', 'call', { requests: 1, tokens: 10, costNanoUsd: 7 })
    await rebuilder.rebuild('acme', 'g1')
    expect(rebuilt).toEqual(['acme'])
    expect(take('next', 1).states.find(({ id }) => id === 'organization/budget')?.used).toBe(7)
  })

  it('works on eight organizations at a time, on the others in turn', async () => {
    let active = 0
    let most = 0
    const order: string[] = []
    const { rebuilder } = setUp({
      policiesOf: async (organizationId) => {
        active++
        most = Math.max(most, active)
        await new Promise((resolve) => setImmediate(resolve))
        active--
        order.push(organizationId)
        return []
      },
    })
    const names = Array.from({ length: 30 }, (_, index) => `o${String(index).padStart(2, '0')}`)
    await Promise.all(names.map((name) => rebuilder.rebuild(name, 'g1')))
    expect(most).toBe(8)
    expect(order).toEqual(names)
  })

  it('throws storage_unavailable while the ledger is away, asks it once a second, and goes on when it is back', async () => {
    const { books, rebuilder, errors, time, take } = setUp()
    books.away = true
    const failed = await Promise.allSettled([
      rebuilder.rebuild('acme', 'g1'),
      rebuilder.rebuild('acme', 'g1'),
    ])
    for (const result of failed) {
      expect(result).toMatchObject({ reason: { code: 'storage_unavailable', retryAfterSeconds: 1 } })
    }
    books.away = false
    await expect(rebuilder.rebuild('acme', 'g1')).rejects.toBeInstanceOf(GatewayError)
    expect(errors).toHaveLength(1)
    time.nowMs += 1000
    await rebuilder.rebuild('acme', 'g1')
    expect(take('call', 1).granted).toBe(true)
    expect(errors).toHaveLength(1)
  })

  it('keeps a defect apart from a ledger that is away', async () => {
    const { rebuilder } = setUp({
      policiesOf: () => {
        throw new TypeError('a defect')
      },
    })
    await expect(rebuilder.rebuild('acme', 'g1')).rejects.toMatchObject({ code: 'internal_error' })
  })

  it('counts more meters than one step takes, each once though two replicas do it', async () => {
    const policies: Policy[] = Array.from({ length: 600 }, (_, index) => ({
      organizationId: 'acme',
      subject: { scope: 'key', id: `K${index}` },
      limits: undefined,
      budget: { ...NO_BUDGET, limitNanoUsd: 1000 },
    }))
    const { counters, books, rebuilder, time } = setUp({ policiesOf: () => policies })
    for (let index = 0; index < 600; index += 2)
      books.record(row(`r${index}`, NOW - 1000, index + 1, `K${index}`))
    const other = createRebuilder({
      counters,
      spent: books,
      policiesOf: () => policies,
      flush: books.flush,
      now: () => time.nowMs,
      onError: () => {},
    })
    await Promise.all([rebuilder.rebuild('acme', 'g1'), other.rebuild('acme', 'g1')])
    const meters = policies.flatMap((policy) => metersOf(policy, NOW))
    const used = counters.read('acme', meters)
    expect(used.map((state) => state.used)).toEqual(
      meters.map((_, index) => (index % 2 === 0 ? index + 1 : 0)),
    )
  })
})
