import { describe, expect, it } from 'vitest'
import type { UpstreamFailure } from '../providers/provider.ts'
import { fromUpstreamFailure, isCallersFault, retryAfterOf } from './upstream-failure.ts'

const FAILURE: UpstreamFailure = { message: 'The provider’s own words.', contextLengthExceeded: false }
const NOW = Date.parse('2026-11-21T12:00:00Z')

describe('fromUpstreamFailure()', () => {
  it.each([
    [400, 'upstream_rejected'],
    [402, 'upstream_rejected'],
    [404, 'upstream_rejected'],
    [413, 'upstream_rejected'],
    [422, 'upstream_rejected'],
    [429, 'upstream_rate_limited'],
    [401, 'upstream_error'],
    [403, 'upstream_error'],
    [500, 'upstream_error'],
    [502, 'upstream_error'],
    [503, 'upstream_error'],
    [529, 'upstream_error'],
    [418, 'upstream_error'],
    [408, 'upstream_timeout'],
    [504, 'upstream_timeout'],
  ])('makes of a status %i the code %s', (status, code) => {
    expect(fromUpstreamFailure('p', status, FAILURE, undefined).code).toBe(code)
  })

  it('shows a caller the words about the request, and none about our account', () => {
    for (const status of [400, 429])
      expect(fromUpstreamFailure('p', status, FAILURE, undefined).message).toBe(FAILURE.message)
    for (const status of [401, 403, 500]) {
      const error = fromUpstreamFailure('p', status, FAILURE, undefined)
      expect(error.message).not.toContain('own words')
      expect(error.detail).toMatchObject({ provider: 'p', status, upstreamMessage: FAILURE.message })
    }
  })

  it('knows a prompt that is too long, whatever its status', () => {
    const failure = { ...FAILURE, contextLengthExceeded: true }
    for (const status of [400, 413, 500]) {
      expect(fromUpstreamFailure('p', status, failure, undefined)).toMatchObject({
        code: 'context_length_exceeded',
        param: 'messages',
      })
    }
  })

  it('says how long to wait, and something where the provider does not', () => {
    expect(fromUpstreamFailure('p', 429, FAILURE, 20).retryAfterSeconds).toBe(20)
    expect(fromUpstreamFailure('p', 429, FAILURE, undefined).retryAfterSeconds).toBe(1)
    expect(fromUpstreamFailure('p', 503, FAILURE, 20).retryAfterSeconds).toBe(20)
  })
})

describe('isCallersFault()', () => {
  it('is what the caller can act on', () => {
    for (const status of [400, 402, 404, 405, 409, 410, 413, 415, 422, 429])
      expect(isCallersFault(status)).toBe(true)
    for (const status of [401, 403, 407, 408, 500, 502, 503, 504, 529])
      expect(isCallersFault(status)).toBe(false)
  })
})

describe('retryAfterOf()', () => {
  it.each([
    [{ 'retry-after': '7' }, 7],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '1.5' }, 2],
    [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, 30],
    [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 2],
    [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after-ms': '' }, undefined],
    [{ 'retry-after': ['1', '2'] }, undefined],
    [{}, undefined],
  ])('reads %j as %s seconds', (headers, seconds) => {
    expect(retryAfterOf(headers, NOW)).toBe(seconds)
  })

  it('never waits longer than a day, whatever a provider says', () => {
    expect(retryAfterOf({ 'retry-after': '9'.repeat(30) }, NOW)).toBe(86_400)
    expect(retryAfterOf({ 'retry-after': 'Sat, 21 Nov 2096 12:00:30 GMT' }, NOW)).toBe(86_400)
  })
})
