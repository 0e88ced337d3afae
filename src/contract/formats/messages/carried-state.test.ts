import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromCarriedId, fromCarriedSignature, toCarriedId, toCarriedSignature } from './carried-state.ts'

const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/)

describe('toCarriedId()', () => {
  it('gives the id and the signature back, in letters that the API takes', () => {
    fc.assert(
      fc.property(id, fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }), (plain, signature) => {
        const carried = toCarriedId(plain, signature)
        expect(carried).toMatch(/^[a-zA-Z0-9_-]+$/)
        expect(fromCarriedId(carried)).toEqual({
          id: plain,
          ...(signature === undefined ? {} : { signature }),
        })
      }),
    )
  })
})

describe('toCarriedSignature()', () => {
  it('leaves a signature of the model as it is', () => {
    expect(toCarriedSignature({ signature: 'EqQB' })).toBe('EqQB')
    expect(fromCarriedSignature('EqQB')).toEqual({ signature: 'EqQB' })
    expect(fromCarriedSignature('')).toEqual({})
  })

  it('gives all of the state back', () => {
    const text = fc.string({ minLength: 1 })
    const state = fc.record({ encrypted: text, id: text, signature: text }, { requiredKeys: ['encrypted'] })
    fc.assert(
      fc.property(state, (kept) => {
        expect(fromCarriedSignature(toCarriedSignature(kept))).toEqual(kept)
      }),
    )
  })

  it('takes a damaged one for somebody else’s', () => {
    const damaged = 'gatehouse-reasoning.%%%'
    expect(fromCarriedSignature(damaged)).toEqual({ signature: damaged })
  })
})
