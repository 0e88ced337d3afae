import { describe, expect, it } from 'vitest'
import { makeMeter, makeState } from './fixtures/make-limits.ts'
import { limitExceeded, type Refused } from './limit-errors.ts'
import { meterId } from './meters.ts'
import { SCOPES } from './policy.ts'

const BUDGET = makeMeter({ limit: 5_000_000_000 })

function refused(changes: Partial<Refused> = {}) {
  return limitExceeded({
    meter: BUDGET,
    state: makeState(BUDGET, { used: 4, held: 3 }),
    by: 'used',
    isTooMuch: false,
    retryAfterMs: 1500,
    ...changes,
  })
}

describe('limitExceeded()', () => {
  it('has a code and a sentence for each limit', () => {
    const said = (
      [
        ['requests_per_minute', 'requests', 60],
        ['tokens_per_minute', 'tokens', 1000],
        ['tokens_per_hour', 'tokens', 100_000],
        ['cost_per_day', 'costNanoUsd', 2_500_000_000],
        ['concurrent_requests', 'concurrency', 8],
        ['budget', 'costNanoUsd', 5_000_000_000],
      ] as const
    ).map(([type, quantity, limit]) => {
      const { code, message } = refused({ meter: makeMeter({ id: `key/K/${type}`, quantity, limit }) })
      return [code, message]
    })
    expect(said).toEqual([
      ['requests_per_minute_exceeded', 'The limit of 60 requests per minute of this key is reached.'],
      ['tokens_per_minute_exceeded', 'The limit of 1000 tokens per minute of this key is reached.'],
      ['tokens_per_hour_exceeded', 'The limit of 100000 tokens per hour of this key is reached.'],
      ['cost_per_day_exceeded', 'The limit of 2.5 USD per day of this key is reached.'],
      ['concurrency_exceeded', 'The limit of 8 calls at once of this key is reached.'],
      ['budget_exhausted', 'The budget of this key, 5 USD, is spent.'],
    ])
  })

  it('says whose limit it is', () => {
    const said = SCOPES.map((scope) => {
      const meter = { ...BUDGET, id: meterId({ scope, id: 'deal=D-17' }, 'budget') }
      return refused({ meter }).message
    })
    expect(said).toEqual([
      'The budget of this organization, 5 USD, is spent.',
      'The budget of this team, 5 USD, is spent.',
      'The budget of this key, 5 USD, is spent.',
      'The budget of this user, 5 USD, is spent.',
      'The budget of the tag deal=D-17, 5 USD, is spent.',
    ])
  })

  it('takes a meter whose name says nothing for a budget of the organization', () => {
    expect(refused({ meter: { ...BUDGET, id: 'what/ever' } })).toMatchObject({
      code: 'budget_exhausted',
      message: 'The budget of this organization, 5 USD, is spent.',
    })
    expect(refused({ meter: { ...BUDGET, limit: null } }).message).toBe(
      'The budget of this organization, 0 USD, is spent.',
    )
  })

  it('says why something may be left of it', () => {
    expect(refused({ by: 'held' }).message).toBe(
      'The budget of this organization, 5 USD, is spent. What is left of it is held by calls under way.',
    )
    expect(refused({ isTooMuch: true, by: 'held' }).message).toBe(
      'The budget of this organization, 5 USD, is spent. This call alone needs more than all of it.',
    )
  })

  it('gives no such reason for requests and calls under way', () => {
    for (const [type, quantity] of [
      ['requests_per_minute', 'requests'],
      ['concurrent_requests', 'concurrency'],
    ] as const) {
      const meter = makeMeter({ id: `organization/${type}`, quantity, limit: 0 })
      expect(refused({ meter, by: 'held', isTooMuch: true }).message).toMatch(/ is reached\.$/)
    }
  })

  it('says that an answer was being written', () => {
    expect(refused({ isUnderWay: true, by: 'held', isTooMuch: true }).message).toBe(
      'The budget of this organization was spent while this answer was being written.',
    )
  })

  it('says when to try again, in whole seconds from one on', () => {
    const seconds = [0, -5, 1000, 1001, 59_999].map(
      (retryAfterMs) => refused({ retryAfterMs }).retryAfterSeconds,
    )
    expect(seconds).toEqual([1, 1, 1, 2, 60])
  })

  it('tells the logs all of it, and the caller nothing of what others use', () => {
    const error = refused({ by: 'held' })
    expect(error.detail).toEqual({
      meter: 'organization/budget',
      limit: 5_000_000_000,
      used: 4,
      held: 3,
      by: 'held',
    })
    expect(refused({ state: undefined }).detail).toMatchObject({ used: undefined, held: undefined })
  })
})
