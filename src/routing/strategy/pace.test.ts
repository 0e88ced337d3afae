import { describe, expect, it } from 'vitest'
import type { Attempt } from '../../pipeline/exchange.ts'
import { newAttempt } from '../attempt.ts'
import { DecayedMean } from './decayed-mean.ts'
import { Pace } from './pace.ts'

function attempt(changes: Partial<Attempt> = {}, model = 'm'): Attempt {
  const target = { provider: 'p', model, reason: '' }
  return {
    ...newAttempt('a', 1, target, { version: 'v', known: true }, 0),
    dispatched: true,
    ...changes,
  }
}

/** 100 tokens at 50 a second after 400 ms. */
const STREAM = { firstTokenMs: 400, endedMs: 2400, usage: { outputTokens: 100 } }

describe('DecayedMean', () => {
  it('forgets with time, and follows a change within some samples', () => {
    const mean = new DecayedMean()
    expect(mean.mean).toBeUndefined()
    for (let i = 0; i < 100; i++) mean.add(10, i)
    expect(mean.weightAt(99)).toBe(32)
    expect(mean.weightAt(99 + 60_000)).toBeCloseTo(16)
    for (let i = 0; i < 64; i++) mean.add(50, 100 + i)
    expect(mean.mean).toBeGreaterThan(40)
    mean.add(10, 3_600_000)
    expect(mean.mean).toBeCloseTo(10)
  })
})

describe('Pace', () => {
  it('measures the first token, tokens per second and the length of answers', () => {
    const pace = new Pace()
    pace.ended(attempt(STREAM), 2400)
    const known = pace.of('p/m')
    expect([known?.ttftMs, known?.tokensPerSecond, known?.outputTokens]).toEqual([400, 50, 100])
    expect(known?.expectedMs(200)).toBeCloseTo(400 + 4000)
  })

  it('takes whole replies for generation, less the first token that streams have told', () => {
    const pace = new Pace()
    const whole = { firstTokenMs: 2400, endedMs: 2400, usage: { outputTokens: 100 } }
    pace.ended(attempt(whole), 2400)
    expect(pace.of('p/m')?.expectedMs(100)).toBeCloseTo(2400)
    pace.ended(attempt(STREAM), 2400)
    for (let i = 0; i < 200; i++) pace.ended(attempt(whole), 2400)
    expect(pace.of('p/m')?.expectedMs(100)).toBeCloseTo(2400, -1)
    expect(pace.of('p/m')?.expectedMs(0)).toBeCloseTo(400)
  })

  it('counts what is under way, each attempt once', () => {
    const pace = new Pace()
    const one = attempt(STREAM)
    const other = attempt(STREAM)
    pace.began(one)
    pace.began(one)
    pace.began(other)
    expect(pace.of('p/m')?.inFlight).toBe(2)
    pace.ended(one, 2400)
    pace.ended(one, 2400)
    pace.began(one)
    expect(pace.of('p/m')?.inFlight).toBe(1)
    pace.ended(other, 2400)
    expect(pace.of('p/m')?.inFlight).toBe(0)
  })

  it('learns from a timeout how slow a target is at least, and nothing from other failures and leavings', () => {
    const pace = new Pace()
    pace.ended(attempt({ errorCode: 'upstream_error', endedMs: 5 }), 5)
    pace.ended(attempt({ errorCode: 'client_closed', endedMs: 5 }), 5)
    pace.ended(attempt({}), 5)
    pace.ended(attempt({ ...STREAM, dispatched: false }), 5)
    pace.ended(attempt(STREAM), 5, false)
    expect(pace.of('p/m')?.expectedMs(10)).toBeUndefined()
    pace.ended(attempt({ errorCode: 'upstream_timeout', endedMs: 9000 }), 9000)
    expect(pace.of('p/m')?.ttftMs).toBe(9000)
  })

  it('takes an answer without tokens for waiting alone', () => {
    const pace = new Pace()
    pace.ended(attempt({ endedMs: 70, usage: { outputTokens: 0 } }), 70)
    expect([pace.of('p/m')?.ttftMs, pace.of('p/m')?.outputTokens]).toEqual([70, undefined])
  })

  it('expects more time where more is under way than when it was measured', () => {
    const pace = new Pace()
    pace.ended(attempt(STREAM), 2400)
    const alone = pace.of('p/m')?.expectedMs(100) ?? 0
    for (let i = 0; i < 40; i++) pace.began(attempt())
    expect(pace.of('p/m')?.expectedMs(100)).toBeGreaterThan(3 * alone)
  })

  it('forgets names that were called once before those in use, and holds no more than its bound', () => {
    const pace = new Pace()
    const busy = attempt({}, 'busy')
    pace.began(busy)
    for (let i = 0; i < 3; i++) pace.ended(attempt(STREAM, 'used'), i)
    for (let i = 0; i < 10_000; i++) {
      pace.ended(attempt(STREAM, `x${i}`), i)
      if (i % 500 === 0) pace.ended(attempt(STREAM, 'used'), i)
    }
    expect(pace.of('p/busy')?.inFlight).toBe(1)
    expect(pace.of('p/used')?.ttftMs).toBe(400)
    expect(pace.of('p/x1')).toBeUndefined()
    let held = 0
    for (let i = 0; i < 10_000; i++) if (pace.of(`p/x${i}`) !== undefined) held++
    expect(held).toBeLessThanOrEqual(2000)
  })
})
