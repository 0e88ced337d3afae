import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode, GatewayError } from '../core/errors.ts'
import { type ErrorFamily, toErrorReply } from './error-reply.ts'

const LIMITED = new GatewayError('upstream_rate_limited', { message: 'Slow down.', retryAfterSeconds: 7 })

describe('toErrorReply()', () => {
  it('names the request where each client looks for it', () => {
    for (const family of ['openai', 'anthropic', 'gemini'] as const) {
      const { headers } = toErrorReply(LIMITED, family, 'req_1')
      expect(headers['x-request-id']).toBe('req_1')
      expect(headers['request-id']).toBe(family === 'anthropic' ? 'req_1' : undefined)
      expect(headers['retry-after']).toBe('7')
    }
  })

  it('takes the shape of the family', () => {
    const bodyOf = (family: 'openai' | 'anthropic' | 'gemini') =>
      JSON.parse(toErrorReply(LIMITED, family, 'req_1').body)
    expect(bodyOf('openai')).toEqual({
      error: { message: 'Slow down.', type: 'rate_limit_error', param: null, code: 'upstream_rate_limited' },
    })
    expect(bodyOf('anthropic')).toEqual({
      type: 'error',
      error: { type: 'rate_limit_error', message: 'Slow down.' },
      request_id: 'req_1',
    })
    expect(bodyOf('gemini')).toMatchObject({
      error: { code: 429, message: 'Slow down.', status: 'RESOURCE_EXHAUSTED' },
    })
  })

  it('gives each client a word that it knows, for every code', () => {
    const anthropic = new Set<string>()
    const google = new Set<string>()
    for (const [code, { status, type }] of Object.entries(ERRORS)) {
      const reply = (family: ErrorFamily) =>
        toErrorReply(new GatewayError(code as ErrorCode, { message: 'm', param: 'p' }), family, 'req_1')
      for (const family of ['openai', 'anthropic', 'gemini'] as const)
        expect(reply(family).status).toBe(status)
      expect(JSON.parse(reply('openai').body)).toEqual({ error: { message: 'm', type, param: 'p', code } })
      anthropic.add(JSON.parse(reply('anthropic').body).error.type)
      const { error } = JSON.parse(reply('gemini').body)
      google.add(error.status)
      expect(error).toMatchObject({ code: status, details: [{ reason: code }] })
    }
    // `ErrorType` of @anthropic-ai/sdk 1.11 and its name for a body too large.
    expect([...anthropic].sort()).toEqual([
      'api_error',
      'authentication_error',
      'conflict_error',
      'invalid_request_error',
      'not_found_error',
      'overloaded_error',
      'permission_error',
      'rate_limit_error',
      'request_too_large',
      'timeout_error',
    ])
    // Names of google.rpc.Code.
    expect([...google].sort()).toEqual([
      'ABORTED',
      'CANCELLED',
      'DEADLINE_EXCEEDED',
      'INTERNAL',
      'INVALID_ARGUMENT',
      'NOT_FOUND',
      'PERMISSION_DENIED',
      'RESOURCE_EXHAUSTED',
      'UNAUTHENTICATED',
      'UNAVAILABLE',
    ])
  })

  it('says with every 429 and 503 when to come back, and with no other unless it is known', () => {
    for (const [code, { status }] of Object.entries(ERRORS)) {
      const { headers } = toErrorReply(new GatewayError(code as ErrorCode, { message: 'm' }), 'openai', 'r')
      expect([code, headers['retry-after']]).toEqual([
        code,
        status === 429 || status === 503 ? '1' : undefined,
      ])
    }
  })

  it('keeps official clients from trying again in vain', () => {
    const tries = (code: ErrorCode) =>
      toErrorReply(new GatewayError(code, { message: 'm' }), 'openai', 'r').headers['x-should-retry']
    expect(tries('conflict')).toBe('false')
    expect(tries('upstream_rate_limited')).toBeUndefined()
    expect(tries('overloaded')).toBeUndefined()
  })
})
