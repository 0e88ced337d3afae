import { describe, expect, test } from 'vitest'
import { findModel } from '../core/model-data.ts'
import { costOfUnits, unitRatesOf } from './price-units.ts'

const at = new Date('2026-11-21T12:00:00Z')

function rates(provider: string, model: string) {
  const match = findModel(provider, model, at)
  if (match === undefined) throw new Error(`The data lost ${provider}/${model}.`)
  return unitRatesOf(match)
}

describe('costOfUnits()', () => {
  test('prices recordings by the second', () => {
    // whisper-1 is sold at 0.36 USD an hour.
    expect(costOfUnits({ audioSeconds: 3600 }, rates('openai', 'whisper-1'))).toBe(360_000_000)
    expect(costOfUnits({ audioSeconds: 0.5 }, rates('openai', 'whisper-1'))).toBe(50_000)
  })

  test('charges ten seconds at least where the provider does', () => {
    const turbo = rates('groq', 'whisper-large-v3-turbo')
    expect(costOfUnits({ audioSeconds: 1 }, turbo)).toBe(costOfUnits({ audioSeconds: 10 }, turbo))
    expect(costOfUnits({ audioSeconds: 0 }, turbo)).toBe(0)
  })

  test('prices pages and searches by the piece', () => {
    expect(costOfUnits({ documentPages: 3 }, rates('mistral', 'mistral-ocr-2512'))).toBe(6_000_000)
    expect(costOfUnits({ webSearches: 2 }, rates('anthropic', 'claude-sonnet-4-5'))).toBe(20_000_000)
    expect(costOfUnits({ storageSearches: 1 }, rates('openai', 'gpt-4o'))).toBe(2_500_000)
  })

  test('does not know the cost of a unit without a price, which is not nothing', () => {
    expect(costOfUnits({ documentPages: 1 }, rates('openai', 'gpt-4o'))).toBeUndefined()
    expect(costOfUnits({ documentPages: 0 }, rates('openai', 'gpt-4o'))).toBe(0)
  })
})
