import { describe, expect, it } from 'vitest'
import { textTurn, toChatRequest, toEmbeddingRequest, toIncoming } from './requests.ts'

describe('toChatRequest()', () => {
  it('takes a text for one turn of the user, after the system’s', () => {
    expect(toChatRequest({ model: 'm', messages: 'Hi', system: 'Be kind.' }, false)).toEqual({
      model: 'm',
      messages: [textTurn('system', 'Be kind.'), textTurn('user', 'Hi')],
      stream: false,
      includeUsage: true,
      unmapped: [],
    })
  })

  it('keeps every setting that has a value, zeros and empty lists included, and no other', () => {
    const settings = {
      tools: [],
      toolChoice: { type: 'none' as const },
      parallelToolCalls: false,
      outputTokensMax: 0,
      temperature: 0,
      topP: 0,
      stop: [],
      seed: 0,
    }
    const request = toChatRequest({ model: 'm', messages: 'Hi', ...settings }, true)
    expect(request).toMatchObject({ ...settings, stream: true })
    expect(
      Object.keys(toChatRequest({ model: 'm', messages: [], temperature: undefined } as never, true)),
    ).not.toContain('temperature')
  })

  it('tells the provider nothing of whom a call is booked on', () => {
    expect(toChatRequest({ model: 'm', messages: 'Hi', user: 'ann' }, false)).not.toHaveProperty('user')
    expect(toEmbeddingRequest({ model: 'm', input: 'Hi', user: 'ann' })).not.toHaveProperty('user')
  })

  it('leaves the caller’s own list of messages alone', () => {
    const messages = [textTurn('user', 'Hi')]
    const request = toChatRequest({ model: 'm', messages, system: 's' }, false)
    expect(messages).toHaveLength(1)
    expect(request.messages[1]).toBe(messages[0])
  })
})

describe('toEmbeddingRequest()', () => {
  it('takes one text or many', () => {
    expect(toEmbeddingRequest({ model: 'm', input: 'a' }).inputs).toEqual(['a'])
    expect(toEmbeddingRequest({ model: 'm', input: ['a', 'b'], dimensions: 3 })).toMatchObject({
      inputs: ['a', 'b'],
      dimensions: 3,
    })
    expect(() => toEmbeddingRequest({ model: 'm', input: [] })).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'input' }),
    )
  })
})

describe('toIncoming()', () => {
  it('is a call that never was bytes', () => {
    const chat = toChatRequest({ model: 'm', messages: 'Hi' }, true)
    const incoming = toIncoming(
      { model: 'm', user: 'ann', session: 's', task: 'code', timeoutMs: 9 },
      { chat },
    )
    expect(incoming).toMatchObject({
      operation: 'chat',
      format: 'library',
      stream: true,
      forwardable: false,
      body: undefined,
      hints: { user: 'ann', session: 's', task: 'code', tags: {}, timeoutMs: 9 },
    })
    expect(incoming.chat()).toBe(chat)
    expect(incoming.translatable()).toBe(chat)
    expect(() => incoming.embedding()).toThrow()
  })
})
