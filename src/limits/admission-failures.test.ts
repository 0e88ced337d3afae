import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { CallHold } from './call-hold.ts'
import {
  type Answer,
  AWAY,
  fail,
  failing,
  granted,
  HARD,
  LOST,
  NOW,
  QUOTE,
  refusedBy,
  setUp,
} from './fixtures/scripted-admission.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('admit() while counters fail', () => {
  for (const [how, answer] of [
    ['at once', (error: Error): Answer => error],
    ['later', (error: Error): Answer => failing(error)],
  ] as const) {
    it(`fails where a limit has to be known, when they fail ${how}`, async () => {
      const { script, set, admit, rebuild } = setUp()
      set(undefined, HARD)
      for (const error of [AWAY, new Error('broken')]) {
        script.answers = [answer(error)]
        expect(await admit()).toBe(error)
      }
      expect(rebuild).not.toHaveBeenCalled()
    })

    it(`goes on without a hold where nothing can refuse, when they fail ${how}`, async () => {
      const { script, set, call, admit } = setUp()
      set(undefined, { limitNanoUsd: null })
      script.answers = [answer(AWAY)]
      const exchange = call()
      expect(await admit(exchange)).toBe('admitted')
      expect(exchange.allowance).toBeUndefined()
      expect(script.taken).toHaveLength(1)
    })

    it(`counts the organization anew where they were lost, which they say ${how}`, async () => {
      for (const limitNanoUsd of [1_000_000, null]) {
        const { script, set, call, admit, rebuild } = setUp()
        set(undefined, { limitNanoUsd })
        script.answers = [answer(LOST), granted]
        const exchange = call()
        expect(await admit(exchange)).toBe('admitted')
        expect(rebuild.mock.calls).toEqual([['o', 'g7']])
        expect(exchange.allowance).toBeInstanceOf(CallHold)
      }
    })
  }

  it('fails where they cannot be counted anew, unless nothing can refuse', async () => {
    const failure = new Error('no ledger')
    const rebuild = () => Promise.reject(failure)
    const limited = setUp({ rebuild })
    limited.set(undefined, HARD)
    limited.script.answers = [LOST]
    expect(await limited.admit()).toBe(failure)
    expect(limited.onError).not.toHaveBeenCalled()

    const free = setUp({ rebuild })
    free.set(undefined, { limitNanoUsd: null })
    free.script.answers = [LOST, granted]
    expect(await free.admit()).toBe('admitted')
    expect(free.onError.mock.calls).toEqual([[failure]])
  })

  it('does not count anew for ever', async () => {
    const limited = setUp()
    limited.set(undefined, HARD)
    limited.script.rest = LOST
    expect(await limited.admit()).toBe(LOST)
    expect([limited.script.taken.length, limited.rebuild.mock.calls.length]).toEqual([6, 5])

    const free = setUp()
    free.set(undefined, { limitNanoUsd: null })
    free.script.rest = LOST
    expect(await free.admit()).toBe('admitted')
    expect(free.script.taken).toHaveLength(6)
  })

  it('goes on without a hold where they fail after they were lost, and nothing can refuse', async () => {
    const free = setUp()
    free.set(undefined, { limitNanoUsd: null })
    free.script.answers = [LOST, AWAY]
    expect(await free.admit()).toBe('admitted')
    expect(free.script.taken).toHaveLength(2)
  })

  it('takes no other error for a loss', async () => {
    const { script, set, admit, rebuild } = setUp()
    set(undefined, HARD)
    const detail = { reason: 'counters_lost', generation: 'g7' }
    for (const error of [
      new GatewayError('internal_error', { message: 'x', detail }),
      Object.assign(new Error('x'), { code: 'storage_unavailable', detail }),
      new GatewayError('storage_unavailable', { message: 'x' }),
    ]) {
      script.answers = [error]
      expect(await admit()).toBe(error)
    }
    expect(rebuild).not.toHaveBeenCalled()
  })
})

describe('createAdmission() by itself', () => {
  it('renews what is under way for ten seconds or more, every ten seconds', async () => {
    const { admission, script, set, call } = setUp()
    set(undefined, HARD)
    script.rest = granted
    void admission.admit(call({ id: 'old' }), QUOTE)
    await vi.advanceTimersByTimeAsync(1)
    void admission.admit(call({ id: 'new' }), QUOTE)
    await vi.advanceTimersByTimeAsync(9998)
    expect(script.grow).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    const nothing = { requests: 0, tokens: 0, costNanoUsd: 0 }
    expect(script.grow.mock.calls).toEqual([['o', 'old', nothing, 30_000]])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(script.grow.mock.calls.slice(1).map(([, id]) => id)).toEqual(['old', 'new'])
  })

  it('tells of a lease that could not be renewed, and renews the others', async () => {
    const { admission, script, set, call, onError } = setUp()
    set(undefined, HARD)
    script.rest = granted
    const failures = [new Error('at once'), new Error('later')]
    for (const id of ['a', 'b', 'c']) void admission.admit(call({ id }), QUOTE)
    script.grow.mockImplementationOnce(() => fail(failures[0]))
    script.grow.mockImplementationOnce(() => failing(failures[1] ?? new Error()))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(onError.mock.calls).toEqual(failures.map((failure) => [failure]))
    expect(script.grow).toHaveBeenCalledTimes(3)
  })

  it('keeps no process alive, and stops when it is closed', async () => {
    const timers = vi.spyOn(globalThis, 'setInterval')
    const { admission, script, set, admit } = setUp()
    expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false])
    set(undefined, HARD)
    script.rest = refusedBy('organization/budget', { held: 1_000_000 })
    const waiting = admit()
    await vi.advanceTimersByTimeAsync(0)
    admission.close()
    expect(await waiting).toMatchObject({ code: 'budget_exhausted' })
    expect(vi.getTimerCount()).toBe(0)
  })
})
