import { describe, expect, it } from 'vitest'
import type { BreakerRecord, ProviderBreaker } from '../routing/breakers/ports.ts'
import { HealthBook } from '../routing/provider-health.ts'
import { type HealthInputs, type ProviderReport, reportHealth, reportProviders } from './health.ts'

const NAMES = new Map(['p', 'q'].map((name) => [name, { name, kind: { name: 'openai' } }]))

function record(changes: Partial<BreakerRecord> = {}): BreakerRecord {
  return {
    provider: 'p',
    model: '',
    state: 'closed',
    failures: 0,
    reason: undefined,
    openedAtMs: undefined,
    untilMs: undefined,
    level: 0,
    byOperator: false,
    pausedUntilMs: undefined,
    changedAtMs: 0,
    ...changes,
  }
}

/** Reports of two providers, of which the first has this breaker, and answered. */
function report(
  changes: Partial<BreakerRecord> = {},
  targets: readonly BreakerRecord[] = [],
): ProviderReport[] {
  const book = new HealthBook()
  const sample = { atMs: 0, latencyMs: 100, firstTokenMs: 10, fault: undefined }
  book.note('p', 'm', sample)
  const breakerOf = (provider: string): ProviderBreaker =>
    provider === 'p' ? { ...record(changes), targets } : { ...record({ provider }), targets: [] }
  return reportProviders(NAMES, book, 0, breakerOf)
}

describe('reportProviders()', () => {
  it('shows traffic, faults and breakers of a provider and of its models', () => {
    const [p, q] = report({ state: 'open', failures: 5, reason: 'r', untilMs: 1000 }, [
      record({ model: 'm', state: 'half-open', failures: 2 }),
      record({ model: 'n', pausedUntilMs: 2000 }),
    ])
    expect(p).toMatchObject({
      name: 'p',
      kind: 'openai',
      health: 'unhealthy',
      calls: 1,
      errors: 0,
      faults: {},
      breaker: {
        state: 'open',
        failures: 5,
        reason: 'r',
        until: '1970-01-01T00:00:01.000Z',
        heldByOperator: false,
        targets: [
          { model: 'm', state: 'half-open', failures: 2 },
          { model: 'n', state: 'closed', pausedUntil: '1970-01-01T00:00:02.000Z' },
        ],
      },
      targets: [{ model: 'm', health: 'degraded', calls: 1, breaker: { state: 'half-open' } }],
    })
    expect(p?.latencyMs.p50).toBeGreaterThan(90)
    expect(q).toMatchObject({
      name: 'q',
      health: 'unknown',
      breaker: { state: 'closed', targets: [] },
      targets: [],
    })
  })

  it('says that an operator holds it open', () => {
    expect(report({ state: 'open', byOperator: true })[0]?.breaker).toMatchObject({ heldByOperator: true })
    expect(report({ state: 'closed', byOperator: true })[0]?.breaker).toMatchObject({ heldByOperator: false })
  })

  it('does without breakers', () => {
    expect(reportProviders(NAMES, new HealthBook(), 0)[0]?.breaker).toMatchObject({
      state: 'closed',
      failures: 0,
    })
  })

  it('says how long ago a provider was asked', () => {
    const book = new HealthBook()
    book.noteProbe('p', { ok: false, atMs: 1000, reason: 'refused' })
    expect(reportProviders(NAMES, book, 31_000)[0]).toMatchObject({
      health: 'unhealthy',
      probe: { ok: false, secondsAgo: 30, reason: 'refused' },
    })
  })
})

describe('reportHealth()', () => {
  const inputs = (changes: Partial<HealthInputs> = {}): HealthInputs => ({
    database: { kind: 'embedded', health: async () => {} },
    providers: report(),
    totals: { errorRate: 0, latencyMs: 10 },
    waitingRows: 0,
    thresholds: { errorRate: 0.05, latencyMs: 5000 },
    ...changes,
  })
  const away = {
    kind: 'postgres',
    health: async () => {
      throw new Error('away')
    },
  }
  const sick = (...reports: ProviderReport[]) =>
    reports.map((each): ProviderReport => ({ ...each, health: 'unhealthy' }))

  it.each<[string, string, Partial<HealthInputs>]>([
    ['healthy', 'nothing is wrong', {}],
    ['healthy', 'Redis is there', { redis: () => ({ kind: 'redis', isReady: true }) }],
    ['degraded', 'Redis is away', { redis: () => ({ kind: 'redis', isReady: false }) }],
    ['degraded', 'one provider is down', { providers: report({ state: 'open' }) }],
    ['degraded', 'a breaker is half-open', { providers: report({ state: 'half-open' }) }],
    ['degraded', 'the database is away, and calls do without', { database: away }],
    ['degraded', 'rows wait', { waitingRows: 10_001 }],
    ['degraded', 'calls fail', { totals: { errorRate: 0.06, latencyMs: 10 } }],
    ['degraded', 'calls are slow', { totals: { errorRate: 0, latencyMs: 5001 } }],
    ['unhealthy', 'the database is away, and calls need it', { database: away, hasRoom: false }],
    ['unhealthy', 'all providers are down', { providers: sick(...report()) }],
    ['healthy', 'there is no provider', { providers: [] }],
  ])('is %s where %s', async (status, _why, changes) => {
    expect((await reportHealth(inputs(changes))).status).toBe(status)
  })

  it('says what is wrong with each component', async () => {
    const { components } = await reportHealth(
      inputs({
        database: away,
        redis: () => ({ kind: 'redis', isReady: false }),
        providers: report({ state: 'open', reason: 'r' }),
      }),
    )
    expect(components).toMatchObject({
      database: { status: 'unhealthy', kind: 'postgres' },
      redis: { status: 'degraded', kind: 'redis' },
      providers: {
        p: { status: 'unhealthy', breaker: 'open', reason: 'r' },
        q: { status: 'unknown', breaker: 'closed' },
      },
    })
    expect((await reportHealth(inputs())).components.redis).toEqual({ status: 'healthy', kind: 'none' })
  })
})
