import { describe, expect, it } from 'vitest'
import { type ErrorCode, GatewayError } from '../core/errors.ts'
import { type Fault, faultOf } from './fault.ts'

function error(code: ErrorCode, detail?: Record<string, unknown>): GatewayError {
  return new GatewayError(code, { message: 'm', ...(detail === undefined ? {} : { detail }) })
}

describe('faultOf()', () => {
  it.each<[ErrorCode, number | undefined, boolean, Fault]>([
    ['client_closed', undefined, false, 'left'],
    ['context_length_exceeded', 400, false, 'context-length'],
    ['unsupported_feature', undefined, false, 'unsupported'],
    ['upstream_rate_limited', 429, false, 'rate-limited'],
    ['upstream_rejected', 422, false, 'callers'],
    ['upstream_rejected', 402, false, 'key-refused'],
    ['upstream_rejected', 404, false, 'unsupported'],
    ['invalid_request', undefined, false, 'callers'],
    ['upstream_timeout', undefined, false, 'timeout'],
    ['upstream_timeout', 200, true, 'cut'],
    ['upstream_error', 401, false, 'key-refused'],
    ['upstream_error', 403, false, 'key-refused'],
    ['upstream_error', 503, false, 'overloaded'],
    ['upstream_error', 529, false, 'overloaded'],
    ['upstream_error', 500, false, 'server'],
    ['upstream_error', 200, false, 'server'],
    ['upstream_error', undefined, false, 'connection'],
    ['upstream_error', 200, true, 'cut'],
    ['budget_exhausted', undefined, false, 'ours'],
    ['internal_error', undefined, false, 'ours'],
  ])('%s with status %s is %s', (code, status, hasBegun, fault) => {
    expect(faultOf(error(code), status, hasBegun)).toBe(fault)
  })

  it('calls a request that never left a failed connection', () => {
    expect(faultOf(error('upstream_error', { sent: false }), 200, false)).toBe('connection')
  })
})
