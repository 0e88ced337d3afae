import { describe, expect, it } from 'vitest'
import type { RequestContext } from '../contract/format.ts'
import { GatewayError } from '../core/errors.ts'
import { type RouteFacts, readCredential, readIncoming } from './read-incoming.ts'

const CONTEXT: RequestContext = { requestId: 'req_1', nowSeconds: 0 }
const CHAT: RouteFacts = { operation: 'chat', format: 'chat' }

function read(body: string | undefined, facts: RouteFacts = CHAT, headers: Record<string, string> = {}) {
  return readIncoming(
    headers,
    '192.0.2.1',
    body === undefined ? undefined : Buffer.from(body),
    facts,
    CONTEXT,
  )
}

describe('readIncoming()', () => {
  it('reads model and stream and leaves the body as it came', () => {
    const text = '{ "model":"gpt-4o","stream":true,"messages":[] }'
    const incoming = read(text)
    expect(incoming).toMatchObject({
      operation: 'chat',
      format: 'chat',
      model: 'gpt-4o',
      stream: true,
      forwardable: true,
      problem: undefined,
      ip: '192.0.2.1',
    })
    expect(incoming.body?.toString()).toBe(text)
  })

  it('takes a stream for one only where it is said outright', () => {
    for (const stream of ['false', '"true"', '1', 'null']) {
      expect(read(`{"model":"m","stream":${stream}}`).stream).toBe(false)
    }
  })

  it('lets the path name model and stream', () => {
    const incoming = read('{"model":"body","stream":false}', { ...CHAT, model: 'path', stream: true })
    expect([incoming.model, incoming.stream]).toEqual(['path', true])
  })

  it.each([
    ['no body', undefined, undefined],
    ['an empty body', '', undefined],
    ['no JSON', '{"model":', undefined],
    ['a list', '[]', undefined],
    ['a text', '"text"', undefined],
    ['null', 'null', undefined],
    ['no model', '{}', 'model'],
    ['a model that is no text', '{"model":7}', 'model'],
    ['a model of null', '{"model":null}', 'model'],
    ['half a character as model', '{"model":"\\ud83d"}', 'model'],
  ])('keeps what is wrong with %s for when the caller is known', (_name, body, param) => {
    const { problem, model } = read(body)
    expect(problem).toMatchObject({ code: 'invalid_request', param })
    expect(typeof model).toBe('string')
  })

  it('repeats nothing of a body that is no JSON', () => {
    const { problem } = read('{"secret": hunter2')
    expect(problem?.message).not.toContain('hunter2')
  })

  it('keeps a wrong header for later as well', () => {
    const incoming = read('{"model":"m"}', CHAT, { 'x-gatehouse-timeout-ms': 'soon' })
    expect(incoming.problem).toMatchObject({ code: 'invalid_request', param: 'x-gatehouse-timeout-ms' })
  })

  it('tells the first of two problems', () => {
    const problem = new GatewayError('invalid_request', { message: 'The form is broken.' })
    expect(read(undefined, { ...CHAT, problem }).problem).toBe(problem)
  })

  it('reads a conversation once, and only where somebody asks', () => {
    const incoming = read('{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
    expect(incoming.chat()).toBe(incoming.chat())
    const odd = read('{"model":"m","messages":"what?"}')
    expect(odd.problem).toBeUndefined()
    expect(() => odd.chat()).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })

  it('reads a Responses body on the path of Chat Completions, and forwards it as neither', () => {
    const incoming = read('{"model":"m","input":"Hi"}')
    expect(incoming.forwardable).toBe(false)
    expect(incoming.format).toBe('chat')
    expect(incoming.chat().messages).toHaveLength(1)
    expect(read('{"model":"m","input":"Hi","messages":[]}').forwardable).toBe(true)
  })

  it('forwards no state that only we can read', () => {
    const body =
      '{"model":"m","messages":[{"role":"assistant","content":[{"signature":"gatehouse-reasoning.abc"}]}]}'
    expect(read(body, { operation: 'chat', format: 'messages' }).forwardable).toBe(false)
    expect(read(body, CHAT).forwardable).toBe(true)
  })

  it('passes on headers that belong to a format, and no other', () => {
    const { passHeaders } = read('{"model":"m"}', CHAT, {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'a,b',
      'openai-beta': 'x',
      'x-sim': 'status=500',
      authorization: 'Bearer gh-key',
      cookie: 'a=b',
      'x-api-key': 'gh-key',
      'openai-organization': 'acme',
    })
    expect(passHeaders).toEqual({
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'a,b',
      'openai-beta': 'x',
      'x-sim': 'status=500',
    })
  })
})

describe('readCredential()', () => {
  it.each([
    [{ authorization: 'Bearer gh-a' }, 'gh-a'],
    [{ authorization: 'bearer  gh-a ' }, 'gh-a'],
    [{ 'x-api-key': 'gh-a' }, 'gh-a'],
    [{ 'x-goog-api-key': 'gh-a' }, 'gh-a'],
    [{ 'api-key': 'gh-a' }, 'gh-a'],
    // One that looks like ours goes first, wherever it stands.
    [{ authorization: 'Bearer sk-other', 'x-api-key': 'gh-a' }, 'gh-a'],
    [{ 'x-api-key': 'sk-other', 'api-key': 'gh-a' }, 'gh-a'],
    [{ authorization: 'Bearer gh-a', 'x-api-key': 'gh-b' }, 'gh-a'],
    // Else the first that there is.
    [{ authorization: 'Bearer sk-other', 'x-api-key': 'sk-more' }, 'sk-other'],
    [{ authorization: 'Bearer   ', 'x-api-key': 'sk-more' }, 'sk-more'],
    [{ authorization: 'Basic Z2g6YQ==' }, undefined],
    [{ authorization: 'Bearer' }, undefined],
    [{ authorization: '', 'x-api-key': '' }, undefined],
    [{}, undefined],
  ])('finds in %j the key %s', (headers, expected) => {
    expect(readCredential(headers)).toBe(expected)
  })
})
