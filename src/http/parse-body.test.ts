import { describe, expect, it } from 'vitest'
import { parseBody } from './parse-body.ts'

const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(message) })

describe('parseBody()', () => {
  it('reads a JSON object', () => {
    expect(parseBody(Buffer.from('{"a":"Grüße"}'), undefined)).toEqual({ a: 'Grüße' })
    expect(parseBody(Buffer.from('{}'), 'identity')).toEqual({})
  })

  it('says what is wrong with anything else', () => {
    const messageOf = (body: Buffer | undefined, encoding?: string) => {
      try {
        return parseBody(body, encoding)
      } catch (error) {
        return error
      }
    }
    expect(messageOf(undefined)).toEqual(refusal(/no body/))
    expect(messageOf(Buffer.alloc(0))).toEqual(refusal(/no body/))
    expect(messageOf(Buffer.from('{'))).toEqual(refusal(/not valid JSON/))
    expect(messageOf(Buffer.from('[]'))).toEqual(refusal(/JSON object/))
    expect(messageOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toEqual(refusal(/UTF-8/))
    expect(messageOf(Buffer.from('{}'), 'gzip')).toEqual(refusal(/content-encoding/))
    const deep = Buffer.from(`{"a":${'['.repeat(500)}${']'.repeat(500)}}`)
    expect(messageOf(deep)).toEqual(refusal(/500 deep/))
    const allowed = Buffer.from(`{"a":${'['.repeat(499)}${']'.repeat(499)}}`)
    expect(messageOf(allowed)).toHaveProperty('a')
  })
})
