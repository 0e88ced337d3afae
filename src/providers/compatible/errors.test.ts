import { describe, expect, it } from 'vitest'
import { fromError } from './errors.ts'

describe('fromError()', () => {
  it.each([
    ['OpenAI', { error: { message: 'Bad.', type: 'invalid_request_error', param: 'n', code: 'x' } }, 'Bad.'],
    ['vLLM', { object: 'error', message: 'Bad.', type: 'BadRequestError', param: null, code: 400 }, 'Bad.'],
    ['Ollama', { error: 'Bad.' }, 'Bad.'],
    ['FastAPI', { detail: 'Bad.' }, 'Bad.'],
    ['Mistral', { detail: [{ loc: ['body', 'user'], msg: 'Extra inputs' }] }, 'body.user: Extra inputs'],
    ['Mistral, nested', { object: 'error', message: { detail: [{ msg: 'Extra inputs' }] } }, 'Extra inputs'],
    ['Google', [{ error: { code: 400, message: 'Bad.', status: 'INVALID_ARGUMENT' } }], 'Bad.'],
    [
      'OpenRouter',
      { error: { code: 502, message: 'Provider returned error', metadata: { raw: 'Bad.' } } },
      'Provider returned error: Bad.',
    ],
    ['plain text', 'Bad.\n', 'Bad.'],
    ['nothing', undefined, 'The provider answered with status 418.'],
    ['null', null, 'The provider answered with status 418.'],
    ['an odd shape', { error: { message: 5 } }, 'The provider answered with status 418.'],
  ])('fromError() reads the message of %s', (_name, body, message) => {
    expect(fromError(418, body).message).toBe(message)
  })

  it('fromError() keeps type and code, as words', () => {
    const failure = fromError(400, { error: { message: 'x', type: 'BadRequestError', code: 400 } })
    expect(failure).toMatchObject({ type: 'BadRequestError', code: '400' })
  })

  it('fromError() bounds the message', () => {
    expect(fromError(500, 'x'.repeat(100_000)).message.length).toBe(2000)
  })

  it.each([
    [400, { error: { message: 'Too long', code: 'context_length_exceeded' } }],
    [400, { error: { message: "This model's maximum context length is 4096 tokens." } }],
    [400, { message: 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length' }],
    [
      400,
      { error: { message: "This model's maximum prompt length is 131072 but the request contains 200000" } },
    ],
    [400, { error: { message: 'The prompt is too long: 200000, model maximum context length: 131071' } }],
    [400, { error: { message: 'Invalid request: Your request exceeded model token limit: 8192' } }],
    [400, { message: "The input (5000 tokens) is longer than the model's context length (4096 tokens)." }],
    [500, { error: { code: 500, message: 'x', type: 'exceed_context_size_error' } }],
    [400, { error: { code: '1261', message: 'Prompt 超长' } }],
    [413, { error: { message: 'Please reduce the length of the messages or completion.' } }],
  ])('fromError() knows a prompt that is too long for the model: %i %j', (status, body) => {
    expect(fromError(status, body).contextLengthExceeded).toBe(true)
  })

  it.each([
    [400, { error: { message: 'Unknown parameter: context.', code: 'unknown_parameter' } }],
    [
      429,
      { error: { message: 'Rate limit reached: reduce the length of the messages', code: 'rate_limit' } },
    ],
    [401, { error: { message: 'maximum context length' } }],
  ])('fromError() takes nothing else for it: %i %j', (status, body) => {
    expect(fromError(status, body).contextLengthExceeded).toBe(false)
  })
})
