import { describe, expect, it } from 'vitest'
import { fromMessagesError } from './errors.ts'

function body(type: string, message: string) {
  return { type: 'error', error: { type, message }, request_id: 'req_011' }
}

describe('fromMessagesError()', () => {
  it.each([
    'prompt is too long: 208310 tokens > 200000 maximum',
    'input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length',
  ])('knows %j for a context that is too small', (message) => {
    expect(fromMessagesError(400, body('invalid_request_error', message))).toEqual({
      type: 'invalid_request_error',
      message,
      contextLengthExceeded: true,
    })
  })

  it('keeps type and code of any other error', () => {
    const error = {
      type: 'rate_limit_error',
      message: 'Slow down.',
      details: { error_code: 'ramp_limit_exceeded' },
    }
    expect(fromMessagesError(429, { type: 'error', error })).toEqual({
      type: 'rate_limit_error',
      code: 'ramp_limit_exceeded',
      message: 'Slow down.',
      contextLengthExceeded: false,
    })
  })

  it('does not blame the context for a failure of the server', () => {
    const failure = fromMessagesError(500, body('api_error', 'prompt is too long'))
    expect(failure.contextLengthExceeded).toBe(false)
  })

  it.each([
    ['<html>Bad gateway</html>', '<html>Bad gateway</html>'],
    ['x'.repeat(9000), 'x'.repeat(500)],
    [undefined, 'The provider answered with status 502.'],
    [{ error: { message: '' } }, 'The provider answered with status 502.'],
  ])('says something short for any other body', (other, message) => {
    expect(fromMessagesError(502, other).message).toBe(message)
  })
})
