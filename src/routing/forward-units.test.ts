import { describe, expect, it } from 'vitest'
import { makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { countUnits } from './forward-units.ts'

describe('countUnits()', () => {
  it('counts the pictures of the reply, else those asked for, and says what kind they are', () => {
    const asked = { prompt: 'a cat', n: 3, quality: 'hd', size: '1024x1792' }
    const incoming = makeIncoming(asked, { operation: 'image' })
    const kind = { imageQuality: 'hd', imageSize: '1024x1792' }
    expect(countUnits(incoming, { data: [{}, {}] })).toEqual({ images: 2, ...kind })
    expect(countUnits(incoming, undefined)).toEqual({ images: 3, ...kind })
  })

  it('takes nothing for a kind that is no word', () => {
    const incoming = makeIncoming({ quality: 5, size: 'x'.repeat(1000) }, { operation: 'image' })
    expect(countUnits(incoming, undefined)).toEqual({
      images: 1,
      imageQuality: undefined,
      imageSize: undefined,
    })
  })

  it('takes the searches that were billed, else one for each hundred documents', () => {
    const documents = Array.from({ length: 201 }, () => 'text')
    const incoming = makeIncoming({ query: 'q', documents }, { operation: 'rerank' })
    expect(countUnits(incoming, { meta: { billed_units: { search_units: 2 } } })).toEqual({ searches: 2 })
    for (const reply of [undefined, {}, { meta: { billed_units: { search_units: -1 } } }])
      expect(countUnits(incoming, reply)).toEqual({ searches: 3 })
    expect(countUnits(makeIncoming({ query: 'q' }, { operation: 'rerank' }), undefined)).toEqual({
      searches: 1,
    })
  })

  it('counts characters as people do', () => {
    const incoming = makeIncoming({ input: 'Grüße 👋' }, { operation: 'speech' })
    expect(countUnits(incoming, undefined)).toEqual({ characters: 7 })
  })
})
