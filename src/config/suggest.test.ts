import { describe, expect, it } from 'vitest'
import { didYouMean, nearest } from './suggest.ts'

describe('nearest', () => {
  it.each([
    ['prot', ['host', 'port'], 'port'],
    ['api_key', ['apiKey', 'apiVersion'], 'apiKey'],
    ['APIKEY', ['apiKey', 'api'], 'apiKey'],
    ['target', ['targets', 'strategy'], 'targets'],
    ['anthropc', ['openai', 'anthropic'], 'anthropic'],
    ['timeout', ['kind', 'baseUrl'], undefined],
    ['x', ['api', 'url'], undefined],
    ['anything', [], undefined],
  ])('nearest(%s) of %j is %s', (written, known, expected) => {
    expect(nearest(written, known)).toBe(expected)
  })

  it('didYouMean() is empty where nothing is near', () => {
    expect(didYouMean('prot', ['port'])).toBe(' Did you mean `port`?')
    expect(didYouMean('zzz', ['port'])).toBe('')
  })
})
