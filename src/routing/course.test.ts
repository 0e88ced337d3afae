import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Plan, TargetName } from '../pipeline/exchange.ts'
import { Course, type CourseOptions, type Step } from './course.ts'
import type { Fault } from './fault.ts'

function target(provider: string, contextTokens?: number): TargetName {
  return { provider, model: 'm', reason: '', contextTokens }
}

const A = target('a', 1000)
const B = target('b', 500)
const C = target('c', 5000)

function planOf(targets: readonly TargetName[], change: { fallback?: boolean; retries?: number } = {}): Plan {
  return {
    route: 'r',
    targets,
    policy: {
      fallback: true,
      retries: 2,
      afterFirstToken: 'error',
      hedgeAfterMs: undefined,
      timeouts: {},
      shadow: undefined,
      ...change,
    } as Plan['policy'],
  }
}

function course(plan: Plan, options: Partial<CourseOptions> = {}): Course {
  return new Course(plan, {
    admit: () => ({ open: false }),
    backoff: () => 100,
    mayRetry: () => true,
    ...options,
  })
}

/** @returns who was tried and after how long, when every try fails alike */
function walk(way: Course, fault: Fault, retryAfterMs?: number): [string, number][] {
  const steps: [string, number][] = []
  let step: Step | undefined = way.first()
  while (step !== undefined) {
    steps.push([step.target.provider, step.waitMs])
    step = way.after(step.target, fault, retryAfterMs)
  }
  return steps
}

describe('Course', () => {
  it('asks each target once, at once, and then none', () => {
    expect(walk(course(planOf([A, B, C])), 'server')).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ])
  })

  it('asks again after a wait where there are fewer targets than tries', () => {
    expect(walk(course(planOf([A, B], { retries: 3 })), 'timeout')).toEqual([
      ['a', 0],
      ['b', 0],
      ['a', 100],
      ['b', 100],
    ])
    expect(walk(course(planOf([A])), 'server')).toEqual([
      ['a', 0],
      ['a', 100],
      ['a', 100],
    ])
  })

  it('asks nobody else without fallback, and nobody at all without retries', () => {
    expect(walk(course(planOf([A, B], { fallback: false, retries: 1 })), 'server')).toEqual([
      ['a', 0],
      ['a', 100],
    ])
    expect(walk(course(planOf([A], { retries: 0 })), 'server')).toEqual([['a', 0]])
  })

  it.each<Fault>(['callers', 'left', 'ours'])('tells %s at once', (fault) => {
    expect(walk(course(planOf([A, B])), fault)).toEqual([['a', 0]])
  })

  it.each<Fault>(['key-refused', 'unsupported'])('does not ask a target again after %s', (fault) => {
    expect(walk(course(planOf([A, B], { retries: 5 })), fault)).toEqual([
      ['a', 0],
      ['b', 0],
    ])
  })

  it('asks for a longer context once, and not a shorter one', () => {
    expect(walk(course(planOf([A, B, C])), 'context-length')).toEqual([
      ['a', 0],
      ['c', 0],
    ])
    expect(walk(course(planOf([C, A, B])), 'context-length')).toEqual([['c', 0]])
    expect(walk(course(planOf([target('x'), B])), 'context-length')).toEqual([
      ['x', 0],
      ['b', 0],
    ])
  })

  it('waits as long as a provider asks, and leaves it alone where that is too long', () => {
    expect(walk(course(planOf([A])), 'rate-limited', 700)).toEqual([
      ['a', 0],
      ['a', 700],
      ['a', 700],
    ])
    expect(walk(course(planOf([A, B])), 'rate-limited', 60_000)).toEqual([
      ['a', 0],
      ['b', 0],
    ])
  })

  it('passes over open breakers, and says when one closes', () => {
    const way = course(planOf([A, B]), {
      admit: ({ provider }) =>
        provider === 'a' ? { open: true, why: 'open', retryAfterMs: 4000, reason: '' } : { open: false },
    })
    expect(walk(way, 'callers')).toEqual([['b', 0]])
    const none = course(planOf([A, B]), {
      admit: ({ provider }) => ({
        open: true,
        why: 'open',
        retryAfterMs: provider === 'a' ? 4000 : 2000,
        reason: '',
      }),
    })
    expect([none.first(), none.retryAfterMs]).toEqual([undefined, 2000])
  })

  it('asks a provider that wants a pause only where there is no other', () => {
    const paused = (name: string): Partial<CourseOptions> => ({
      admit: ({ provider }) =>
        name.includes(provider)
          ? { open: true, why: 'paused', retryAfterMs: 9000, reason: '' }
          : { open: false },
    })
    expect(walk(course(planOf([A, B]), paused('a')), 'callers')).toEqual([['b', 0]])
    expect(walk(course(planOf([A, B]), paused('ab')), 'callers')).toEqual([['a', 0]])
  })

  it('tries no more where all calls together have tried enough', () => {
    expect(walk(course(planOf([A, B]), { mayRetry: () => false }), 'server')).toEqual([['a', 0]])
  })

  it('always comes to an end, within its tries and its time', () => {
    const faults: Fault[] = [
      'server',
      'timeout',
      'connection',
      'rate-limited',
      'overloaded',
      'cut',
      'unsupported',
    ]
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(A, B, C, target('d')), { minLength: 1, maxLength: 5 }),
        fc.nat(10),
        fc.array(fc.constantFrom(...faults), { minLength: 20, maxLength: 20 }),
        fc.nat(3000),
        (targets, retries, drawn, retryAfterMs) => {
          const plan = planOf(
            targets.map((each) => ({ ...each })),
            { retries },
          )
          const way = course(plan, { backoff: () => 300 })
          let step = way.first()
          let tries = 0
          let waitedMs = 0
          while (step !== undefined) {
            tries++
            waitedMs += step.waitMs
            step = way.after(step.target, drawn[tries % 20] ?? 'server', retryAfterMs)
          }
          expect(tries).toBeLessThanOrEqual(1 + Math.max(retries, targets.length - 1))
          expect(waitedMs).toBeLessThanOrEqual(1500)
        },
      ),
    )
  })
})
