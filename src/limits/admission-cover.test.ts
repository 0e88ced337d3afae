import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Attempt } from '../pipeline/exchange.ts'
import type { ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import type { QuoteOf } from './admission.ts'
import { INPUT_NANO, makeAttempt, makeState, OUTPUT_NANO } from './fixtures/make-limits.ts'
import {
  AWAY,
  CHAT,
  fail,
  failing,
  granted,
  HARD,
  LOST,
  NOW,
  QUOTE,
  setUp,
  USUAL_NANO,
  WHOLE_NANO,
} from './fixtures/scripted-admission.ts'
import type { Budget } from './policy.ts'
import type { Meter, TakeResult } from './ports.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('cover()', () => {
  const DEARER = { provider: 'q', model: 'dear', reason: '' }
  /** Ten times as much where it is the other target. */
  const quoteOf: QuoteOf = (_exchange, { provider }) => ({
    quote: {
      costOf: (input, output) => (input * INPUT_NANO + output * OUTPUT_NANO) * (provider === 'q' ? 10 : 1),
    },
    priceVersion: 'v1',
    unitsNanoUsd: 0,
  })

  async function underWay(budget: Partial<Budget> = HARD) {
    const world = setUp()
    world.set(undefined, budget)
    world.script.rest = granted
    const exchange = world.call()
    await world.admission.admit(exchange, quoteOf)
    const { grow } = world.script
    /** @returns what it asked for, in nano-dollars */
    const asked = () => grow.mock.calls.map(([, , more]) => more.costNanoUsd)
    const cover = async (): Promise<unknown> => {
      try {
        await world.admission.cover(exchange, DEARER, quoteOf)
        return 'covered'
      } catch (error) {
        return error
      }
    }
    return { ...world, exchange, asked, cover }
  }
  const given = (isGranted: boolean, used = 0): TakeResult => {
    const states = [makeState({ id: 'organization/budget', limit: 1_000_000 } as Meter, { used })]
    return isGranted
      ? { granted: true, states }
      : { granted: false, refusedBy: 'organization/budget', retryAfterMs: 9000, states }
  }

  it('adds what another target may cost more, beside what attempts came to', async () => {
    const { script, exchange, cover } = await underWay()
    exchange.attempts.push(makeAttempt({ costNanoUsd: 500 }))
    script.grow.mockReturnValue(given(true, 7))
    expect(await cover()).toBe('covered')
    const missing = 500 + WHOLE_NANO * 10 - WHOLE_NANO
    expect(script.grow.mock.calls).toEqual([
      ['o', exchange.id, { requests: 0, tokens: 0, costNanoUsd: missing }, 30_000],
    ])
    expect(exchange.allowance).toMatchObject({
      costNanoUsd: 500 + WHOLE_NANO * 10,
      outputTokens: 4000,
      outputTokensMax: undefined,
      takenAtMs: NOW,
      budgetRemainingNanoUsd: 999_993,
    })
    // For the next target only what it needs beyond that.
    await cover()
    expect(script.grow).toHaveBeenCalledTimes(1)
  })

  it('adds nothing where what is held is enough, or there is no hold', async () => {
    const { admission, script, exchange, call } = await underWay()
    const states = exchange.allowance
    await admission.cover(exchange, { provider: 'p', model: 'other', reason: '' }, quoteOf)
    expect(admission.cover(call(), DEARER, quoteOf)).toBeUndefined()
    expect(script.grow).not.toHaveBeenCalled()
    expect(exchange.allowance).not.toBe(states)
    expect(exchange.allowance).toMatchObject({ costNanoUsd: WHOLE_NANO, outputTokens: 4000 })
  })

  it('takes less where all of it is refused, and caps the answer', async () => {
    const { script, exchange, asked, cover } = await underWay()
    script.grow.mockReturnValueOnce(given(false)).mockReturnValueOnce(given(true))
    expect(await cover()).toBe('covered')
    expect(asked()).toEqual([WHOLE_NANO * 9, USUAL_NANO * 10 - WHOLE_NANO])
    expect(exchange.allowance?.outputTokensMax).toBe(1024)
  })

  it('is refused where even the least is, and holds what it held', async () => {
    const { script, exchange, asked, cover } = await underWay()
    exchange.attempts.push(makeAttempt({ costNanoUsd: WHOLE_NANO }))
    const before = exchange.allowance
    script.grow.mockReturnValue(given(false, 1_000_000))
    expect(await cover()).toMatchObject({
      code: 'budget_exhausted',
      message: 'The budget of this organization, 0.001 USD, is spent.',
      retryAfterSeconds: 9,
      detail: { used: 1_000_000, by: 'used' },
    })
    const least = (1000 * INPUT_NANO + 16 * OUTPUT_NANO) * 10
    expect(asked()).toEqual([WHOLE_NANO * 10, USUAL_NANO * 10, least])
    expect(before).toMatchObject({ costNanoUsd: WHOLE_NANO })
  })

  it('goes on where the hold is gone, and where nothing can refuse', async () => {
    const gone = await underWay()
    expect(await gone.cover()).toBe('covered')
    expect(gone.asked()).toEqual([WHOLE_NANO * 9])
    const soft = await underWay({ limitNanoUsd: null })
    expect(await soft.cover()).toBe('covered')
    expect(soft.asked()).toEqual([])
  })

  it('counts the organization anew where the counters were lost meanwhile', async () => {
    const { script, cover, rebuild } = await underWay()
    script.grow.mockImplementationOnce(() => fail(LOST)).mockReturnValueOnce(given(true))
    expect(await cover()).toBe('covered')
    expect(rebuild.mock.calls).toEqual([['o', 'g7']])
    const other = await underWay()
    other.script.grow.mockImplementation(() => failing(AWAY))
    expect(await other.cover()).toBe(AWAY)
  })

  it('learns by the price of the target that answered', async () => {
    const { admission, exchange, script, cover, note } = await underWay()
    script.grow.mockReturnValue(given(true))
    await cover()
    const usage = { inputTokens: 100, outputTokens: 10 }
    exchange.attempts.push(makeAttempt({ provider: 'q', model: 'dear', usage, costNanoUsd: 14_000 }))
    admission.settle(exchange, true)
    expect(note.mock.calls[0]?.[0]).toMatchObject({ target: 'q/dear', costFactor: 1 })
  })
})

describe('relay()', () => {
  const FRAME: ReplyFrame = { raw: undefined, events: [] }

  async function* streamOf(attempt: Attempt, characters: number): ReplyEvents {
    attempt.outputText = 'x'.repeat(characters)
    yield [FRAME]
  }

  async function streaming(budget: Partial<Budget>) {
    const world = setUp()
    world.set(undefined, budget)
    world.script.rest = granted
    const exchange = world.call({ incoming: { ...CHAT, stream: true } })
    await world.admission.admit(exchange, QUOTE)
    return { ...world, exchange }
  }

  it('leaves a stream alone that holds nothing, or cannot outgrow what it holds', async () => {
    const { admission, exchange, call } = await streaming({ limitNanoUsd: null })
    const events = streamOf(makeAttempt(), 10)
    expect(admission.relay(events, exchange)).toBe(events)
    expect(admission.relay(events, call())).toBe(events)
  })

  it('grows by what the last attempt writes, as its tokenizer counts it', async () => {
    const { admission, exchange, script, countText } = await streaming(HARD)
    const attempt = makeAttempt({ model: 'n' })
    exchange.attempts.push(makeAttempt(), attempt)
    const meters = [{ id: 'organization/budget' } as Meter]
    script.grow.mockReturnValue({ granted: true, states: meters.map((meter) => makeState(meter)) })
    for await (const frames of admission.relay(streamOf(attempt, 1000), exchange))
      expect(frames).toEqual([FRAME])
    expect(countText.mock.calls).toEqual([['x'.repeat(1000), 'n']])
    expect(script.grow.mock.calls).toEqual([
      ['o', exchange.id, { requests: 0, tokens: 512, costNanoUsd: 512 * OUTPUT_NANO }, 30_000],
    ])
  })

  it('counts the organization anew where the counters were lost meanwhile', async () => {
    const { admission, exchange, script, rebuild } = await streaming(HARD)
    const attempt = makeAttempt()
    exchange.attempts.push(attempt)
    script.grow.mockImplementationOnce(() => fail(LOST))
    for await (const _ of admission.relay(streamOf(attempt, 1000), exchange));
    expect(rebuild.mock.calls).toEqual([['o', 'g7']])
    expect(script.grow).toHaveBeenCalledTimes(2)
  })
})
