import { describe, expect, it } from 'vitest'
import type { Fault } from '../fault.ts'
import { type BreakerBoard, createBreakerBoard } from './board.ts'
import type { BreakerSettings } from './breaker.ts'
import type { BreakerRecord } from './ports.ts'

const SETTINGS: BreakerSettings = { failures: 5, windowSeconds: 60, openSeconds: 30, halfOpenCalls: 1 }
const SECOND = 1000

interface Calls {
  /** 10 ms each. */
  readonly durationMs?: number
  readonly retryAfterMs?: number
}

function start(changes: Partial<BreakerSettings> = {}, skewMs = 0) {
  let nowMs = 50_000
  const changed: BreakerRecord[] = []
  const board = createBreakerBoard({
    settings: { ...SETTINGS, ...changes },
    clock: { now: () => 1_700_000_000_000 + skewMs + nowMs, monotonicMs: () => nowMs },
    random: () => 0,
    onChange: (record) => changed.push(record),
  })
  return {
    board,
    changed,
    wait(ms: number) {
      nowMs += ms
    },
    /** Calls that are let through whatever the board says, one after the other. */
    call(model: string, fault: Fault | undefined, count = 1, facts: Calls = {}) {
      for (let i = 0; i < count; i++) {
        nowMs += 10
        board.note({ provider: 'p', model }, fault, { durationMs: 9, ...facts })
      }
    },
    admit: (model = 'm', provider = 'p') => board.admit({ provider, model }),
  }
}

const statesOf = (board: BreakerBoard) => {
  const { state, targets } = board.state('p')
  return [state, ...targets.filter((each) => each.state !== 'closed').map(({ model }) => model)]
}

describe('note()', () => {
  it.each<Fault>(['connection', 'key-refused', 'server', 'overloaded', 'timeout'])(
    'opens the provider at five failures of the kind %s',
    (fault) => {
      const { board, call, admit, changed } = start()
      call('m', fault, 4)
      expect(admit()).toEqual({ open: false })
      call('m', fault)
      expect(admit('other')).toEqual({
        open: true,
        retryAfterMs: 30 * SECOND,
        why: 'open',
        reason: `the provider's breaker is open: 5 failures in a row, the last: ${fault}`,
      })
      expect(board.state('p')).toMatchObject({ state: 'open', failures: 5, targets: [] })
      expect(changed.map(({ model, state }) => [model, state])).toEqual([['', 'open']])
      expect(admit('m', 'q')).toEqual({ open: false })
    },
  )

  it.each<Fault>(['callers', 'unsupported', 'context-length', 'left', 'ours'])(
    'counts %s as nothing',
    (fault) => {
      const { board, call } = start()
      call('m', 'server', 4)
      call('m', fault, 100)
      expect(board.state('p')).toMatchObject({ state: 'closed', failures: 4 })
    },
  )

  it('opens a target alone while the provider answers for others', () => {
    const { board, call, admit } = start()
    call('good', undefined)
    call('bad', 'server')
    call('good', undefined)
    call('bad', 'server', 9)
    expect(statesOf(board)).toEqual(['closed', 'bad'])
    expect(admit('bad')).toMatchObject({ open: true, why: 'open' })
    expect(admit('good')).toEqual({ open: false })
    // One failure of another model does not bring the provider down either.
    call('good', 'server')
    expect(statesOf(board)).toEqual(['closed', 'bad'])
  })

  it('opens the provider where all its models fail, whatever they answered before', () => {
    const { board, call } = start()
    call('one', undefined, 100)
    call('two', undefined, 100)
    for (let i = 0; i < 2; i++) {
      call('one', 'timeout')
      call('two', 'timeout')
    }
    expect(statesOf(board)).toEqual(['closed'])
    call('one', 'timeout')
    expect(statesOf(board)).toEqual(['open'])
  })

  it('opens the provider of one model by that model, though it answered before', () => {
    const { board, call } = start()
    call('m', undefined, 100)
    call('m', 'server', 5)
    expect(statesOf(board)).toEqual(['open'])
  })

  it('leaves late failures of calls that were under way out of account', () => {
    const { board, call, wait, admit } = start()
    call('m', 'server', 5)
    call('m', 'server', 100, { durationMs: 5000 })
    expect(board.state('p')).toMatchObject({ state: 'open', failures: 5, targets: [] })
    wait(30 * SECOND)
    expect(admit()).toEqual({ open: false })
    expect(admit()).toMatchObject({ open: true, why: 'half-open', retryAfterMs: 1000 })
    call('m', undefined)
    expect(statesOf(board)).toEqual(['closed'])
  })

  it('counts slow calls where a time is set', () => {
    const { board, call } = start({ slowCallMs: 2000 })
    call('m', undefined, 9, { durationMs: 2000 })
    expect(statesOf(board)).toEqual(['closed'])
    call('m', undefined, 1, { durationMs: 2000 })
    expect(board.state('p')).toMatchObject({ state: 'open', reason: '5 failures in a row, the last: slow' })
    const other = start()
    other.call('m', undefined, 100, { durationMs: 1e6 })
    expect(statesOf(other.board)).toEqual(['closed'])
  })

  it('remembers 500 targets of a provider, those with news first', () => {
    const { board, call, wait } = start()
    call('good', undefined)
    call('bad', 'server')
    call('good', undefined)
    call('bad', 'server', 5)
    wait(20 * SECOND)
    for (let i = 0; i < 1000; i++) {
      call(`model-${i}`, undefined)
      if (i % 100 === 0) wait(5 * SECOND)
    }
    expect(statesOf(board)).toEqual(['closed', 'bad'])
  })
})

describe('a rate limit', () => {
  it('pauses the target for as long as the provider asks, and trips nothing', () => {
    const { board, call, admit, wait } = start()
    call('m', 'rate-limited', 50, { retryAfterMs: 7000 })
    expect(admit()).toMatchObject({ open: true, retryAfterMs: 7000, why: 'paused' })
    expect(admit('other')).toEqual({ open: false })
    expect(board.state('p')).toMatchObject({ state: 'closed', failures: 0 })
    expect(board.state('p').targets).toMatchObject([
      { model: 'm', state: 'closed', pausedUntilMs: expect.any(Number) },
    ])
    wait(7000)
    expect(admit()).toEqual({ open: false })
    board.tick()
    expect(board.state('p').targets).toEqual([])
  })

  it('is asked of us for five minutes at most', () => {
    const { call, admit } = start()
    call('m', 'rate-limited', 1, { retryAfterMs: 86_400_000 })
    expect(admit()).toMatchObject({ retryAfterMs: 300_000 })
  })

  it('pauses 1 s, 2 s, 4 s … where nobody says how long, and 1 s again after an answer', () => {
    const { call, admit, wait } = start()
    const pauses = []
    for (let i = 0; i < 8; i++) {
      call('m', 'rate-limited', 3)
      const admission = admit()
      // Two of the three calls came during the pause; they make it no longer.
      const pauseMs = admission.open ? admission.retryAfterMs + 20 : 0
      pauses.push(pauseMs)
      wait(pauseMs)
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * SECOND))
    call('m', undefined)
    wait(SECOND)
    call('m', 'rate-limited')
    expect(admit()).toMatchObject({ retryAfterMs: SECOND })
  })

  it('of two models is taken for one of the provider, unless another answers', () => {
    const { board, call, admit, wait } = start()
    call('one', 'rate-limited', 1, { retryAfterMs: 5000 })
    call('three', undefined)
    call('two', 'rate-limited', 1, { retryAfterMs: 9000 })
    expect(admit('three')).toEqual({ open: false })
    wait(5000)
    call('one', 'rate-limited', 1, { retryAfterMs: 3000 })
    expect(admit('three')).toEqual({
      open: true,
      retryAfterMs: 3000,
      why: 'paused',
      reason: expect.any(String),
    })
    expect(board.state('p')).toMatchObject({ state: 'closed', pausedUntilMs: expect.any(Number) })
  })

  it('is a sign of life', () => {
    const { board, call, admit, wait } = start()
    call('m', 'server', 5)
    wait(30 * SECOND)
    admit()
    call('m', 'rate-limited', 1, { retryAfterMs: 2000 })
    expect(statesOf(board)).toEqual(['closed'])
    expect(admit()).toMatchObject({ why: 'paused' })
  })
})

describe('signOfLife()', () => {
  it('lets a call try before its time', () => {
    const { board, call, admit } = start()
    call('m', 'server', 5)
    board.signOfLife('p')
    board.signOfLife('nobody')
    expect(statesOf(board)).toEqual(['half-open'])
    expect(admit()).toEqual({ open: false })
  })
})

describe('force()', () => {
  it('holds a provider open until it is closed again', () => {
    const { board, admit, wait, changed } = start()
    board.force('p', 'open')
    wait(1e9)
    board.tick()
    board.signOfLife('p')
    expect(admit()).toMatchObject({ open: true, why: 'held', retryAfterMs: 30 * SECOND })
    expect(board.state('p')).toMatchObject({ state: 'open', byOperator: true, untilMs: undefined })
    board.force('p', 'closed')
    expect(admit()).toEqual({ open: false })
    expect(changed.map(({ state, byOperator }) => [state, byOperator])).toEqual([
      ['open', true],
      ['closed', true],
    ])
  })

  it('closes targets and ends pauses too', () => {
    const { board, call, admit } = start()
    call('good', undefined)
    call('bad', 'server')
    call('good', undefined)
    call('bad', 'server', 5)
    call('good', 'rate-limited', 1, { retryAfterMs: 9000 })
    board.force('p', 'closed')
    expect(admit('bad')).toEqual({ open: false })
    expect(admit('good')).toEqual({ open: false })
    expect(board.state('p').targets).toEqual([])
  })
})

describe('apply()', () => {
  it('follows another replica to the moment, and tells nobody of it', () => {
    const first = start()
    const second = start()
    first.call('m', 'server', 5)
    for (const record of first.changed) second.board.apply(record)
    expect(second.admit()).toMatchObject({ open: true, why: 'open' })
    expect(second.board.state('p').untilMs).toBe(first.board.state('p').untilMs)
    expect(second.changed).toEqual([])
    first.wait(30 * SECOND)
    first.admit()
    first.call('m', undefined)
    for (const record of first.changed) second.board.apply(record)
    expect(statesOf(second.board)).toEqual(['closed'])
  })

  it('follows targets, pauses and operators', () => {
    const first = start()
    const second = start()
    first.call('good', undefined)
    first.call('bad', 'server')
    first.call('good', undefined)
    first.call('bad', 'server', 5)
    first.call('good', 'rate-limited', 1, { retryAfterMs: 9000 })
    for (const record of first.changed) second.board.apply(record)
    expect(second.admit('bad')).toMatchObject({ why: 'open' })
    expect(second.admit('good')).toMatchObject({ why: 'paused' })
    first.board.force('p', 'open')
    first.board.force('p', 'closed')
    for (const record of first.changed) second.board.apply(record)
    expect(second.admit('bad')).toEqual({ open: false })
    expect(second.admit('good')).toEqual({ open: false })
  })
})

describe('tick()', () => {
  it('goes half-open when the time has come, and forgets a model that nobody asks for again', () => {
    const { board, call, wait, changed } = start()
    call('good', undefined)
    call('bad', 'server')
    call('good', undefined)
    call('bad', 'server', 5)
    wait(30 * SECOND)
    board.tick()
    wait(600 * SECOND)
    board.tick()
    expect(changed.map(({ model, state }) => [model, state])).toEqual([
      ['bad', 'open'],
      ['bad', 'half-open'],
      ['bad', 'closed'],
    ])
  })
})

describe('reconfigure()', () => {
  it('holds for what is there already', () => {
    const { board, call } = start()
    call('m', 'server', 1)
    board.reconfigure({ ...SETTINGS, failures: 2 })
    call('m', 'server', 1)
    expect(statesOf(board)).toEqual(['open'])
  })
})
