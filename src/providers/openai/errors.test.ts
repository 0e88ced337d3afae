import { expect, test } from 'vitest'
import { fromError } from './errors.ts'

test('fromError() reads the message, type and code of an OpenAI error', () => {
  const error = { message: 'Bad key.', type: 'invalid_request_error', code: 'invalid_api_key', param: null }
  expect(fromError(401, { error })).toEqual({
    message: 'Bad key.',
    type: 'invalid_request_error',
    code: 'invalid_api_key',
    contextLengthExceeded: false,
  })
})

test('fromError() notices a prompt that is too long by code and by words', () => {
  const byCode = { error: { message: 'Too long.', code: 'context_length_exceeded' } }
  const byWords = { error: { message: 'Your input exceeds the context window of this model.', code: null } }
  expect(fromError(400, byCode).contextLengthExceeded).toBe(true)
  expect(fromError(400, byWords).contextLengthExceeded).toBe(true)
  expect(fromError(400, { error: { message: 'Unknown parameter.' } }).contextLengthExceeded).toBe(false)
})

test.each([
  [{ error: 'plain words' }, 'plain words'],
  ['<html>bad gateway</html>', '<html>bad gateway</html>'],
  [{ detail: 'Not found' }, 'Not found'],
  [undefined, 'The provider answered with status 502.'],
  [null, 'The provider answered with status 502.'],
])('fromError() makes a sentence of whatever came: %j', (body, message) => {
  expect(fromError(502, body).message).toBe(message)
})
