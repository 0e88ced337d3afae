import { describe, expect, it } from 'vitest'
import { passedHeaders, upstreamRequestIdOf } from './reply-headers.ts'

describe('passedHeaders()', () => {
  it('lets through what official clients read, and nothing of the account or the server', () => {
    expect(
      passedHeaders({
        'content-type': 'application/json',
        'retry-after': '3',
        'anthropic-ratelimit-requests-remaining': '9',
        'openai-processing-ms': '12',
        'openai-organization': 'acme-secret',
        'set-cookie': ['a=b'],
        'anthropic-organization-id': 'acme-secret',
        'content-length': '10',
        'content-encoding': 'gzip',
        'transfer-encoding': 'chunked',
        connection: 'close',
        server: 'cloudflare',
        'x-request-id': 'theirs',
        'x-ratelimit-remaining-requests': '5',
      }),
    ).toEqual({
      'content-type': 'application/json',
      'retry-after': '3',
      'anthropic-ratelimit-requests-remaining': '9',
      'openai-processing-ms': '12',
    })
  })

  it('leaves out a header that stands twice', () => {
    expect(passedHeaders({ 'retry-after': ['1', '2'] })).toEqual({})
  })
})

describe('upstreamRequestIdOf()', () => {
  it('finds the provider’s id under each of its names', () => {
    expect(upstreamRequestIdOf({ 'x-request-id': 'a', 'request-id': 'b' })).toBe('a')
    expect(upstreamRequestIdOf({ 'request-id': 'b' })).toBe('b')
    expect(upstreamRequestIdOf({ 'apim-request-id': 'c' })).toBe('c')
    expect(upstreamRequestIdOf({})).toBeUndefined()
  })
})
