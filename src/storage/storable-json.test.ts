import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toStorableJson } from './storable-json.ts'

describe('toStorableJson()', () => {
  it('toStorableJson() drops zero characters and mends halves of pairs, nothing else', () => {
    const value = { 'a\0': 'x\0y', half: '\ud83d!', pair: '🙂', text: '\\u0000 \\\\ud83d "\n' }
    expect(JSON.parse(toStorableJson(value))).toEqual({
      a: 'xy',
      half: '\ufffd!',
      pair: '🙂',
      text: '\\u0000 \\\\ud83d "\n',
    })
  })

  it('toStorableJson() is JSON of the well-formed value, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const expected = texts.map((text) => text.replaceAll('\0', '').toWellFormed())
        expect(JSON.parse(toStorableJson(texts))).toEqual(expected)
      }),
    )
  })
})
