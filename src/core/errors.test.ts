import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorSpec, GatewayError, toGatewayError } from './errors.ts'

describe('ERRORS', () => {
  it('are told with a status of an error, and in one sentence', () => {
    for (const [code, { status, meaning }] of Object.entries<ErrorSpec>(ERRORS)) {
      expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/)
      expect(status >= 400 && status < 600).toBe(true)
      expect(meaning).toMatch(/^[A-Z].*\.$/)
    }
  })
})

describe('GatewayError', () => {
  it('carries what its catalogue says, and what happened', () => {
    const cause = new Error('why')
    const error = new GatewayError('upstream_timeout', {
      message: 'Too late.',
      param: 'model',
      detail: { provider: 'p' },
      retryAfterSeconds: 3,
      cause,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'GatewayError',
      code: 'upstream_timeout',
      message: 'Too late.',
      param: 'model',
      detail: { provider: 'p' },
      retryAfterSeconds: 3,
      cause,
      spec: ERRORS.upstream_timeout,
    })
    expect('cause' in new GatewayError('conflict', { message: 'x' })).toBe(false)
  })
})

describe('toGatewayError()', () => {
  it('leaves ours as it is, and hides everything else behind one sentence', () => {
    const ours = new GatewayError('conflict', { message: 'x' })
    expect(toGatewayError(ours)).toBe(ours)
    for (const thrown of [new TypeError('secret'), 'secret', undefined, null, { secret: 1 }]) {
      const error = toGatewayError(thrown)
      expect([error.code, error.cause]).toEqual(['internal_error', thrown])
      expect(error.message).not.toContain('secret')
    }
  })
})
