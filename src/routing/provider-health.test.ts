import { describe, expect, it } from 'vitest'
import type { Attempt } from '../pipeline/exchange.ts'
import { newAttempt } from './attempt.ts'
import { HealthBook, type Sample } from './provider-health.ts'

const MINUTE = 60_000

function sample(changes: Partial<Sample> = {}): Sample {
  return { atMs: 0, latencyMs: 100, firstTokenMs: 10, fault: undefined, ...changes }
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
    for (let i = 0; i < 100; i++) book.note('p', 'm', sample({ fault: i < failures ? 'server' : undefined }))
    expect(book.of('p', 0)).toMatchObject({ health, calls: 100, errors: failures })
  })

  it('forgets what is older than five minutes', () => {
    const book = new HealthBook()
    book.note('p', 'm', sample({ fault: 'timeout' }))
    expect(book.of('p', 4 * MINUTE)).toMatchObject({ errors: 1, faults: { timeout: 1 } })
    expect(book.of('p', 5 * MINUTE)).toMatchObject({ health: 'unknown', calls: 0, faults: {} })
    expect(book.totals(5 * MINUTE)).toEqual({ errorRate: 0, latencyMs: 0 })
  })

  it('takes a probe for what no call has said since', () => {
    const book = new HealthBook()
    book.noteProbe('p', { ok: true, atMs: 0, reason: undefined })
    expect(book.of('p', 1)).toMatchObject({ health: 'healthy', probe: { ok: true } })
    book.noteProbe('p', { ok: false, atMs: 10, reason: 'refused' })
    expect(book.of('p', 10)).toMatchObject({ health: 'unhealthy', probe: { ok: false, reason: 'refused' } })
    book.note('p', 'm', sample({ atMs: 20 }))
    expect(book.of('p', 20)).toMatchObject({ health: 'healthy', calls: 1 })
    book.noteProbe('p', { ok: false, atMs: 30, reason: 'refused' })
    expect(book.of('p', 30)).toMatchObject({ health: 'unhealthy' })
    expect(book.of('p', 10 * MINUTE)).toMatchObject({ health: 'unknown', probe: undefined })
  })
})

describe('targetsOf()', () => {
  it('tells the models of a provider apart', () => {
    const book = new HealthBook()
    book.note('p', 'good', sample())
    book.note('p', 'bad', sample({ fault: 'server' }))
    book.note('q', 'good', sample({ fault: 'server' }))
    const targets = book.targetsOf('p', 0)
    expect(targets.get('good')).toMatchObject({ health: 'healthy', calls: 1, errors: 0 })
    expect(targets.get('bad')).toMatchObject({ health: 'unhealthy', calls: 1, faults: { server: 1 } })
    expect(book.of('p', 0)).toMatchObject({ calls: 2, errors: 1 })
    expect(book.targetsOf('p', 5 * MINUTE).size).toBe(0)
  })

  it('remembers two hundred, and forgets first those that nobody calls any more', () => {
    const book = new HealthBook()
    book.note('p', 'old', sample())
    for (let i = 0; i < 300; i++) book.note('p', `m${i}`, sample({ atMs: 6 * MINUTE }))
    const targets = book.targetsOf('p', 6 * MINUTE)
    expect(targets.size).toBe(200)
    expect(targets.has('old')).toBe(false)
    expect(targets.has('m299')).toBe(true)
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
    expect(book.of('p', 50)).toMatchObject({
      calls: 5,
      errors: 2,
      failuresInRow: 0,
      faults: { overloaded: 1, timeout: 1, callers: 1, 'rate-limited': 1 },
    })
    expect(book.of('p', 50).firstTokenMs.p50).toBeCloseTo(7, 0)
  })

  it('takes a refused connection for a failure, though nothing was sent', () => {
    const book = new HealthBook()
    book.noteAttempts([attempt({ dispatched: false, status: undefined, errorCode: 'upstream_error' })], 50)
    expect(book.of('p', 50)).toMatchObject({ errors: 1, faults: { connection: 1 } })
  })

  it('takes an answer that broke off for a failure of its own kind', () => {
    const book = new HealthBook()
    book.noteAttempts([attempt({ firstTokenMs: 3, errorCode: 'upstream_error' })], 50)
    expect(book.of('p', 50)).toMatchObject({ errors: 1, faults: { cut: 1 } })
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

describe('totals()', () => {
  it('are those of all providers', () => {
    const book = new HealthBook()
    for (let i = 0; i < 99; i++) book.note('p', 'm', sample({ latencyMs: 20 }))
    book.note('q', 'm', sample({ fault: 'server', latencyMs: 9000 }))
    const totals = book.totals(0)
    expect(totals.errorRate).toBe(0.01)
    expect(totals.latencyMs).toBeGreaterThan(19)
    expect(totals.latencyMs).toBeLessThan(21)
  })
})
