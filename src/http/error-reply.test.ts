import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { toErrorReply } from './error-reply.ts'

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
})
