import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Attempt } from '../pipeline/exchange.ts'
import { newAttempt } from './attempt.ts'
import { HealthBook, percentiles, type Sample } from './provider-health.ts'

const MINUTE = 60_000

function sample(changes: Partial<Sample> = {}): Sample {
  return { atMs: 0, latencyMs: 100, firstTokenMs: 10, failed: false, ...changes }
}

function bookOf(...samples: readonly Sample[]): HealthBook {
  const book = new HealthBook()
  for (const each of samples) book.note('p', each)
  return book
}

function attempt(changes: Partial<Attempt>): Attempt {
  const target = { provider: 'p', model: 'm', reason: '' }
  return {
    ...newAttempt('a', 1, target, { version: 'v', known: true }, 0),
    dispatched: true,
    status: 200,
    endedMs: 40,
    ...changes,
  }
}

describe('of()', () => {
  it('knows nothing of a provider that nobody called', () => {
    expect(new HealthBook().of('p', 0)).toMatchObject({ health: 'unknown', calls: 0, failuresInRow: 0 })
  })

  it.each([
    [0, 'healthy'],
    [5, 'healthy'],
    [6, 'degraded'],
    [49, 'degraded'],
    [50, 'unhealthy'],
    [100, 'unhealthy'],
  ])('calls %i failures of a hundred %s', (failures, health) => {
    const book = new HealthBook()
    for (let i = 0; i < 100; i++) book.note('p', sample({ failed: i < failures }))
    expect(book.of('p', 0)).toMatchObject({ health, calls: 100, errors: failures })
  })

  it('counts failures since the last success', () => {
    const book = bookOf(
      sample({ failed: true }),
      sample(),
      sample({ failed: true }),
      sample({ failed: true }),
    )
    expect(book.of('p', 0).failuresInRow).toBe(2)
  })

  it('forgets what is older than five minutes', () => {
    const book = bookOf(sample({ failed: true }))
    expect(book.of('p', 5 * MINUTE).errors).toBe(1)
    expect(book.of('p', 5 * MINUTE + 1)).toMatchObject({ health: 'unknown', calls: 0 })
    expect(book.totals(5 * MINUTE + 1)).toEqual({ errorRate: 0, latencyMs: 0 })
  })

  it('holds the last 512 calls and no more', () => {
    const book = new HealthBook()
    for (let i = 0; i < 512; i++) book.note('p', sample({ failed: true }))
    for (let i = 0; i < 512; i++) book.note('p', sample())
    expect(book.of('p', 0)).toMatchObject({ calls: 512, errors: 0 })
  })
})

describe('noteAttempts()', () => {
  it('takes a failure of the provider for one, and what the caller did wrong for an answer', () => {
    const book = new HealthBook()
    book.noteAttempts(
      [
        attempt({ errorCode: 'upstream_error', status: 503 }),
        attempt({ errorCode: 'upstream_timeout', status: undefined }),
        attempt({ errorCode: 'upstream_rejected', status: 400 }),
        attempt({ errorCode: 'upstream_rate_limited', status: 429 }),
        attempt({ firstTokenMs: 7 }),
      ],
      50,
    )
    expect(book.of('p', 50)).toMatchObject({ calls: 5, errors: 2, failuresInRow: 0 })
    expect(book.of('p', 50).firstTokenMs.p50).toBe(7)
  })

  it('takes a refused connection for a failure, though nothing was sent', () => {
    const book = new HealthBook()
    book.noteAttempts([attempt({ dispatched: false, status: undefined, errorCode: 'upstream_error' })], 50)
    expect(book.of('p', 50).errors).toBe(1)
  })

  it('learns nothing from a caller who left, a request that never left us, or a defect of ours', () => {
    const book = new HealthBook()
    book.noteAttempts(
      [
        attempt({ errorCode: 'client_closed' }),
        attempt({ dispatched: false, status: undefined, errorCode: 'unsupported_feature' }),
        attempt({ dispatched: false, status: undefined }),
        attempt({ errorCode: 'internal_error' }),
      ],
      50,
    )
    expect(book.of('p', 50).calls).toBe(0)
  })
})

describe('percentiles()', () => {
  it('shows values that were measured', () => {
    expect(percentiles([])).toEqual({ p50: null, p95: null, p99: null })
    expect(percentiles([3])).toEqual({ p50: 3, p95: 3, p99: 3 })
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
    expect(percentiles(hundred)).toEqual({ p50: 50, p95: 95, p99: 99 })
    const value = fc.integer({ min: 0, max: 1_000_000 })
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), (values) => {
        const { p50, p95, p99 } = percentiles(values)
        for (const shown of [p50, p95, p99]) expect(values).toContain(shown)
        expect([p50, p95, p99]).toEqual([p50, p95, p99].sort((first, second) => (first ?? 0) - (second ?? 0)))
      }),
    )
  })
})
