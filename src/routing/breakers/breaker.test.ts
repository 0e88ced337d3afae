import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Breaker, type BreakerSettings, type Sign } from './breaker.ts'

const SETTINGS: BreakerSettings = { failures: 5, windowSeconds: 60, openSeconds: 30, halfOpenCalls: 1 }
const SECOND = 1000

/** A breaker with the clock of a test, and what its owner would do with it. */
function start(changes: Partial<BreakerSettings> = {}, random = 0) {
  const breaker = new Breaker({ ...SETTINGS, ...changes })
  let nowMs = 1_000_000
  function count(sign: Sign, startedMs = nowMs): void {
    breaker.count(sign, startedMs, nowMs, random)
    const reason = breaker.verdict(nowMs)
    if (reason !== undefined) breaker.open(nowMs, random, reason)
  }
  return {
    breaker,
    now: () => nowMs,
    wait(ms: number) {
      nowMs += ms
    },
    /** @returns when the call began; `undefined` where it was refused */
    enter(): number | undefined {
      if (breaker.waitMs(nowMs) > 0) return undefined
      breaker.enter(nowMs)
      return nowMs
    },
    count,
    counts(...signs: readonly Sign[]) {
      for (const sign of signs) count(sign)
    },
  }
}

const times = (count: number, sign: Sign) => Array.from({ length: count }, () => sign)

describe('verdict()', () => {
  it('opens at so many failures in a row, however many answers came before', () => {
    const { breaker, count, counts } = start()
    counts(...times(200, 'answer'), ...times(4, 'failure'))
    expect(breaker.state).toBe('closed')
    count('failure')
    expect(breaker).toMatchObject({ state: 'open', reason: '5 failures in a row' })
  })

  it('opens at so many failures among few calls, and at half of many', () => {
    const few = start()
    few.counts(...times(5, 'answer'))
    for (let i = 0; i < 5; i++) few.counts('failure', 'answer')
    expect(few.breaker.reason).toBe('5 failures in 14 calls')
    const many = start()
    many.counts(...times(30, 'answer'))
    for (let i = 0; i < 9; i++) many.counts('failure', 'failure', 'failure', 'answer')
    expect(many.breaker.state).toBe('closed')
    for (let i = 0; i < 6; i++) many.counts('failure', 'failure', 'failure', 'answer')
    expect(many.breaker.reason).toBe('44 failures in 88 calls')
  })

  it('stays closed before a provider that fails one call in two hundred, whatever its traffic', () => {
    const { breaker, counts, wait } = start()
    for (let i = 0; i < 200; i++) {
      counts(...times(100, 'answer'), 'failure', ...times(99, 'answer'))
      wait(SECOND)
    }
    expect(breaker.state).toBe('closed')
  })

  it('counts a failure for as long as the window, in a row too', () => {
    const { breaker, count, wait } = start()
    for (let i = 0; i < 20; i++) {
      count('failure')
      wait(20 * SECOND)
    }
    expect(breaker.state).toBe('closed')
  })

  it('takes two cut or slow calls for one failure', () => {
    const { breaker, counts, count } = start()
    counts(...times(9, 'cut'))
    expect(breaker.state).toBe('closed')
    count('slow')
    expect(breaker.state).toBe('open')
  })

  it('is not moved by what says nothing', () => {
    const { breaker, counts, now } = start()
    counts(...times(4, 'failure'), ...times(100, 'nothing'), ...times(100, 'alive'))
    expect(breaker.failures(now())).toBe(4)
    counts('failure')
    expect(breaker.state).toBe('open')
  })
})

describe('open()', () => {
  it('keeps calls out for openSeconds, then lets one through, and closes by its answer', () => {
    const { breaker, counts, count, wait, enter, now } = start()
    counts(...times(5, 'failure'))
    expect(breaker.waitMs(now())).toBe(30 * SECOND)
    expect(breaker.failures(now())).toBe(5)
    wait(30 * SECOND - 1)
    expect(enter()).toBeUndefined()
    wait(1)
    const probe = enter()
    expect(breaker.state).toBe('half-open')
    expect(enter()).toBeUndefined()
    wait(100)
    count('answer', probe)
    expect(breaker.state).toBe('closed')
    expect(breaker.failures(now())).toBe(0)
  })

  it('is doubled with each probe that fails, up to ten times, and halved again by an answer', () => {
    const { breaker, counts, count, wait, enter, now } = start()
    counts(...times(5, 'failure'))
    const waits = []
    for (let i = 0; i < 6; i++) {
      waits.push(breaker.waitMs(now()) / SECOND)
      wait(breaker.waitMs(now()))
      count('failure', enter())
    }
    expect(waits).toEqual([30, 60, 120, 240, 300, 300])
    wait(300 * SECOND)
    count('answer', enter())
    wait(60 * SECOND)
    counts(...times(5, 'failure'))
    expect(breaker.waitMs(now()) / SECOND).toBe(60)
  })

  it('is never longer than said, and shorter by up to a tenth', () => {
    const { breaker, counts, now } = start({}, 0.999)
    counts(...times(5, 'failure'))
    expect(breaker.waitMs(now())).toBeGreaterThanOrEqual(27 * SECOND)
    expect(breaker.waitMs(now())).toBeLessThan(27.1 * SECOND)
  })
})

describe('count()', () => {
  it('takes an answer to a call from before for a sign of life, once each time it opens', () => {
    const { breaker, counts, count, wait, enter, now } = start()
    counts(...times(5, 'failure'))
    wait(SECOND)
    count('answer', now() - 10 * SECOND)
    expect(breaker.state).toBe('half-open')
    count('failure', enter())
    expect(breaker.state).toBe('open')
    breaker.signOfLife(now())
    expect(breaker.state).toBe('half-open')
    expect(breaker.signOfLife(now())).toBe(false)
  })

  it('learns nothing from the failure of a call that is no probe', () => {
    const { breaker, counts, count, wait, enter, now } = start()
    counts(...times(5, 'failure'))
    const before = now() - 5 * SECOND
    wait(30 * SECOND)
    const probe = enter()
    wait(10)
    count('failure', before)
    expect(breaker.state).toBe('half-open')
    count('failure', probe)
    expect(breaker.state).toBe('open')
  })

  it('gives the place of a probe back that says nothing', () => {
    const { counts, count, wait, enter } = start()
    counts(...times(5, 'failure'))
    wait(30 * SECOND)
    const probe = enter()
    expect(enter()).toBeUndefined()
    count('nothing', probe)
    expect(enter()).toBeDefined()
  })

  it('needs as many answers as there may be probes', () => {
    const { breaker, counts, count, wait, enter } = start({ halfOpenCalls: 3 })
    counts(...times(5, 'failure'))
    wait(30 * SECOND)
    const probes = [enter(), enter(), enter()]
    expect(enter()).toBeUndefined()
    for (const probe of probes) {
      expect(breaker.state).toBe('half-open')
      count('alive', probe)
    }
    expect(breaker.state).toBe('closed')
  })
})

describe('enter()', () => {
  it('forgets a probe that never reports back', () => {
    const { breaker, counts, count, wait, enter } = start()
    counts(...times(5, 'failure'))
    wait(30 * SECOND)
    const lost = enter()
    wait(30 * SECOND - 1)
    expect(enter()).toBeUndefined()
    wait(1)
    const next = enter()
    expect(next).toBeDefined()
    count('failure', lost)
    expect(breaker.state).toBe('half-open')
    count('answer', next)
    expect(breaker.state).toBe('closed')
  })
})

describe('force()', () => {
  it('holds open without an end, whatever calls say, and closes at once', () => {
    const { breaker, counts, wait, now, enter } = start()
    breaker.force('open', now())
    counts('answer', 'alive')
    wait(1e9)
    breaker.advance(now())
    expect(breaker).toMatchObject({ state: 'open', byOperator: true })
    expect(enter()).toBeUndefined()
    breaker.force('closed', now())
    expect(enter()).toBeDefined()
    expect(breaker).toMatchObject({ state: 'closed', byOperator: true, level: 0 })
  })
})

describe('follow()', () => {
  const record = { failures: 7, reason: 'r', level: 2, byOperator: false }

  it('does as the other did, for no longer than it would by itself', () => {
    const { breaker, now } = start()
    breaker.follow({ ...record, state: 'open' }, now() + 1e9, now())
    expect(breaker).toMatchObject({ state: 'open', level: 2, reason: 'r' })
    expect(breaker.waitMs(now())).toBe(300 * SECOND)
    expect(breaker.failures(now())).toBe(7)
    breaker.follow({ ...record, state: 'half-open' }, 0, now())
    expect(breaker.waitMs(now())).toBe(0)
    breaker.follow({ ...record, state: 'closed' }, 0, now())
    expect(breaker).toMatchObject({ state: 'closed', reason: undefined })
  })

  it('does not overrule an operator', () => {
    const { breaker, now } = start()
    breaker.force('open', now())
    breaker.follow({ ...record, state: 'closed' }, 0, now())
    expect(breaker.state).toBe('open')
    breaker.follow({ ...record, state: 'closed', byOperator: true }, 0, now())
    expect(breaker.state).toBe('closed')
  })
})

/** What may happen to a breaker: time passes, a call is let in, one of those under way is over. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  fc.record({ kind: fc.constant('enter' as const) }),
  fc.record({
    kind: fc.constant('end' as const),
    which: fc.nat({ max: 20 }),
    sign: fc.constantFrom<Sign>('answer', 'slow', 'cut', 'failure', 'failure', 'failure', 'alive', 'nothing'),
  }),
)
const settings = fc.record({
  failures: fc.integer({ min: 1, max: 8 }),
  windowSeconds: fc.integer({ min: 1, max: 120 }),
  openSeconds: fc.integer({ min: 1, max: 60 }),
  halfOpenCalls: fc.integer({ min: 1, max: 4 }),
})

describe('a breaker', () => {
  it('lets at most halfOpenCalls probes out, and none where it says that one has to wait', () => {
    fc.assert(
      fc.property(
        settings,
        fc.array(step, { maxLength: 200 }),
        fc.double({ min: 0, max: 0.999 }),
        (given, steps, random) => {
          const house = start(given, random)
          const { breaker } = house
          const calls: { startedMs: number; isProbe: boolean }[] = []
          let latestProbeMs = 0
          for (const each of steps) {
            if (each.kind === 'wait') house.wait(each.ms)
            if (each.kind === 'end') {
              const [call] = calls.splice(each.which % Math.max(1, calls.length), 1)
              if (call !== undefined) house.count(each.sign, call.startedMs)
            }
            if (each.kind === 'enter') {
              // Moments differ, as those of a real clock do.
              house.wait(2)
              const startedMs = house.enter()
              if (startedMs === undefined) continue
              const isProbe = breaker.state === 'half-open'
              // Those of an earlier opening, and forgotten ones, are no probes of this one.
              if (isProbe && startedMs - latestProbeMs >= Math.max(10_000, given.openSeconds * 1000)) {
                for (const call of calls) call.isProbe = false
              }
              if (isProbe) latestProbeMs = startedMs
              calls.push({ startedMs, isProbe })
              expect(calls.filter((call) => call.isProbe).length).toBeLessThanOrEqual(given.halfOpenCalls)
            }
            if (breaker.state !== 'half-open') for (const call of calls) call.isProbe = false
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is closed within ten times openSeconds and as many answers as it asks for, once the provider answers', () => {
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 200 }), (given, steps) => {
        const house = start(given)
        const calls: number[] = []
        for (const each of steps) {
          if (each.kind === 'wait') house.wait(each.ms)
          if (each.kind === 'end') {
            const [startedMs] = calls.splice(each.which % Math.max(1, calls.length), 1)
            if (startedMs !== undefined) house.count(each.sign, startedMs)
          }
          if (each.kind === 'enter') calls.push(...[house.enter() ?? []].flat())
        }
        // Calls of the bad time are never heard of again; from now on each is answered after a tenth of a second.
        const limitMs = house.now() + given.openSeconds * 10_000 + 10_000 + given.openSeconds * 1000 + 5000
        while (house.breaker.state !== 'closed' && house.now() < limitMs) {
          const startedMs = house.enter()
          house.wait(100)
          if (startedMs !== undefined) house.count('answer', startedMs)
        }
        expect(house.breaker.state).toBe('closed')
      }),
      { numRuns: 300 },
    )
  })

  it('leaves a provider that comes and goes a good part of its good time', () => {
    const up = fc.integer({ min: 400, max: 900 })
    const down = fc.integer({ min: 1, max: 900 })
    fc.assert(
      fc.property(up, down, fc.double({ min: 0, max: 0.999 }), (upSeconds, downSeconds, random) => {
        const house = start({}, random)
        let good = 0
        let answered = 0
        for (let second = 0; second < 3 * 3600; second++) {
          const isUp = second % (upSeconds + downSeconds) < upSeconds
          const startedMs = house.enter()
          if (isUp) good++
          if (isUp && startedMs !== undefined) answered++
          if (startedMs !== undefined) house.count(isUp ? 'answer' : 'failure', startedMs)
          house.wait(SECOND)
        }
        // At worst it opens for five minutes just before the provider is back.
        expect(answered / good).toBeGreaterThan((upSeconds - 305) / upSeconds)
      }),
      { numRuns: 20 },
    )
  })

  it('leaves a provider that fails one call in ten most of its calls', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const house = start()
        let state = seed >>> 0
        // Numbers that are as good as random (Numerical Recipes, section 7.1).
        const next = () => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0
          return state / 2 ** 32
        }
        let admitted = 0
        for (let second = 0; second < 3600; second++) {
          const startedMs = house.enter()
          if (startedMs !== undefined) {
            admitted++
            house.count(next() < 0.1 ? 'failure' : 'answer', startedMs)
          }
          house.wait(SECOND)
        }
        expect(admitted).toBeGreaterThan(0.75 * 3600)
      }),
      { numRuns: 20 },
    )
  })
})
