import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256, toCanonicalJson } from './canonical-json.ts'

describe('toCanonicalJson()', () => {
  it('toCanonicalJson() orders names, leaves out what is undefined and writes large integers out', () => {
    const value = { b: [1, null, true], a: { z: 'ä"', y: undefined }, c: 12_345_678_901_234_567_890n }
    expect(toCanonicalJson(value)).toBe('{"a":{"z":"ä\\""},"b":[1,null,true],"c":12345678901234567890}')
  })

  it('toCanonicalJson() is the same for the same value in another order', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse())
        expect(toCanonicalJson(turned)).toBe(toCanonicalJson(value))
        expect(JSON.parse(toCanonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('sha256()', () => {
  it('sha256() is that of FIPS 180-4', () => {
    expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})
