import type { IncomingHttpHeaders } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readHints } from './hints.ts'

function tagsOf(tags: string | undefined, metadata?: unknown): Record<string, string> {
  const headers: IncomingHttpHeaders = tags === undefined ? {} : { 'x-gatehouse-tags': tags }
  return { ...readHints(headers, metadata === undefined ? undefined : { metadata }).tags }
}

describe('readHints()', () => {
  it('knows nothing of a request that says nothing', () => {
    expect(readHints({}, undefined)).toEqual({
      user: undefined,
      session: undefined,
      task: undefined,
      tags: {},
      timeoutMs: undefined,
      traceparent: undefined,
    })
  })

  it('takes the user from the header, then the body, then a client’s own header', () => {
    const headers = { 'x-gatehouse-user': 'a', 'x-openwebui-user-id': 'd' }
    const json = { user: 'b', metadata: { user_id: 'c' } }
    expect(readHints(headers, json).user).toBe('a')
    expect(readHints({ 'x-openwebui-user-id': 'd' }, json).user).toBe('b')
    expect(readHints({ 'x-openwebui-user-id': 'd' }, { metadata: { user_id: 'c' } }).user).toBe('c')
    expect(readHints({ 'x-openwebui-user-id': 'd' }, {}).user).toBe('d')
    expect(readHints({ 'x-gatehouse-user': '' }, { user: 7, metadata: 'x' }).user).toBeUndefined()
  })

  it('takes the session from our header, then from those of clients', () => {
    expect(readHints({ 'x-gatehouse-session': 'a', 'x-claude-code-session-id': 'b' }, {}).session).toBe('a')
    expect(readHints({ 'x-claude-code-session-id': 'b' }, {}).session).toBe('b')
    expect(readHints({ 'x-openwebui-chat-id': 'c' }, {}).session).toBe('c')
  })

  it('cuts names that are longer than any name, and never in the middle of a character', () => {
    const { user } = readHints({}, { user: `${'x'.repeat(255)}🌍🌍` })
    expect(user?.length).toBeLessThanOrEqual(256)
    expect(user?.isWellFormed()).toBe(true)
    expect(tagsOf(`a=${'x'.repeat(300)}`).a).toHaveLength(256)
    expect(tagsOf(undefined, { a: `${'x'.repeat(255)}🌍` }).a?.isWellFormed()).toBe(true)
  })

  it.each(['1', '1000', '86400000'])('takes %s for a time in milliseconds', (text) => {
    expect(readHints({ 'x-gatehouse-timeout-ms': text }, undefined).timeoutMs).toBe(Number(text))
  })

  it.each(['', '0', '-1', '1.5', '1e3', '0x10', ' ', 'soon', '86400001', 'NaN', 'Infinity'])(
    'refuses %j as a time',
    (text) => {
      expect(() => readHints({ 'x-gatehouse-timeout-ms': text }, undefined)).toThrow(
        expect.objectContaining({ code: 'invalid_request', param: 'x-gatehouse-timeout-ms' }),
      )
    },
  )
})

describe('tags', () => {
  it('are the pairs of the header and those of the metadata, of which the header wins', () => {
    expect(tagsOf('deal=D-17, cycle = 3 ,')).toEqual({ deal: 'D-17', cycle: '3' })
    expect(tagsOf('deal=D-17', { deal: 'x', count: 3, live: true, nested: {}, none: null })).toEqual({
      deal: 'D-17',
      count: '3',
      live: 'true',
    })
    expect(tagsOf('a=b=c')).toEqual({ a: 'b=c' })
    expect(tagsOf('empty=')).toEqual({ empty: '' })
  })

  it('leave the user out, who is no tag', () => {
    expect(tagsOf(undefined, { user_id: 'u', a: '1' })).toEqual({ a: '1' })
  })

  it('are at most sixteen', () => {
    const many = Array.from({ length: 30 }, (_, index) => `t${index}=${index}`).join(',')
    expect(Object.keys(tagsOf(many))).toHaveLength(16)
    expect(Object.keys(tagsOf(many, { more: 'x' }))).toHaveLength(16)
  })

  it('are no elements of a list', () => {
    expect(tagsOf(undefined, ['a', 'b'])).toEqual({})
  })

  it('have names of letters, digits, dots, dashes and underscores', () => {
    expect(tagsOf('a b=1,ü=2,=3,ok=4')).toEqual({ ok: '4' })
    expect(tagsOf(`${'n'.repeat(65)}=1`)).toEqual({})
  })

  it('refuse a header that has no pairs', () => {
    expect(() => tagsOf('deal')).toThrow(expect.objectContaining({ param: 'x-gatehouse-tags' }))
  })

  it('cannot touch the objects of the language', () => {
    const { tags } = readHints(
      { 'x-gatehouse-tags': '__proto__=polluted,constructor=c' },
      JSON.parse('{"metadata":{"__proto__":{"x":1},"toString":"t","hasOwnProperty":"h"}}'),
    )
    expect(JSON.parse(JSON.stringify(tags))).toEqual(
      JSON.parse('{"__proto__":"polluted","constructor":"c","toString":"t","hasOwnProperty":"h"}'),
    )
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })

  it('are read of anything without a surprise', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (metadata, header) => {
        try {
          const { tags } = readHints({ 'x-gatehouse-tags': header }, { metadata, user: metadata })
          for (const value of Object.values(tags)) expect(typeof value).toBe('string')
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request' })
        }
      }),
    )
  })
})
