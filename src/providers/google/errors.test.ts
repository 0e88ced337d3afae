import { describe, expect, it } from 'vitest'
import { fromError } from './errors.ts'

describe('fromError()', () => {
  it('reads message, status and reason', () => {
    const body = {
      error: {
        code: 400,
        message: 'API key not valid. Please pass a valid API key.',
        status: 'INVALID_ARGUMENT',
        details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }],
      },
    }
    expect(fromError(400, body)).toEqual({
      message: 'API key not valid. Please pass a valid API key.',
      type: 'INVALID_ARGUMENT',
      code: 'API_KEY_INVALID',
      contextLengthExceeded: false,
    })
  })

  it.each([
    'The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).',
    'The input token count exceeds the maximum number of tokens allowed 1048576.',
    'Unable to submit request because the input token count is 1300000 but model only supports up to 1048576.',
  ])('recognises a prompt that is too long: %s', (message) => {
    const error = { code: 400, message, status: 'INVALID_ARGUMENT' }
    expect(fromError(400, { error }).contextLengthExceeded).toBe(true)
    expect(fromError(400, [{ error }]).contextLengthExceeded).toBe(true)
  })

  it('takes a quota for no long prompt', () => {
    const message =
      'Quota exceeded: input token count per minute exceeds the maximum number of tokens allowed.'
    const error = { code: 429, message, status: 'RESOURCE_EXHAUSTED' }
    expect(fromError(429, { error })).toEqual({
      message,
      type: 'RESOURCE_EXHAUSTED',
      code: '429',
      contextLengthExceeded: false,
    })
  })

  it.each([[undefined], [''], [{}], [[]], [{ error: 'x' }]])(
    'says the status where the body is %j',
    (body) => {
      expect(fromError(502, body)).toEqual({
        message: 'The provider answered with status 502.',
        contextLengthExceeded: false,
      })
    },
  )

  it('keeps a body that is text', () => {
    expect(fromError(502, '<html>Bad Gateway</html>').message).toBe('<html>Bad Gateway</html>')
  })
})
