import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { priceOfList } from '../price-listed.ts'
import { changesOf, isDrastic, partsOf, percentOf, picoToUsd, sourceOf } from './parts.ts'

describe('picoToUsd()', () => {
  it.each([
    [0, '0'],
    [2.5e12, '2.5'],
    [37_500_000_000, '0.0375'],
    [1, '0.000000000001'],
    [1e15, '1000'],
  ])('writes %d without zeros at its end', (pico, usd) => {
    expect(picoToUsd(pico)).toBe(usd)
  })

  it('loses nothing', () => {
    fc.assert(
      fc.property(fc.nat(1e15), (pico) => {
        const [whole = '', fraction = ''] = picoToUsd(pico).split('.')
        expect(BigInt(whole) * 10n ** 12n + BigInt(fraction.padEnd(12, '0'))).toBe(BigInt(pico))
      }),
    )
  })
})

describe('partsOf() and changesOf()', () => {
  const price = priceOfList('a', {
    inputPerMillionUsd: 2,
    outputPerMillionUsd: 8,
    cachedInputPerMillionUsd: 0.5,
    perRequestUsd: 0.01,
    perMinuteUsd: 0.006,
    perImageUsd: 0.04,
  })

  it('has every part for what it is named for', () => {
    const usd = Object.fromEntries(
      Object.entries(partsOf(price)).map(([part, pico]) => [part, picoToUsd(pico)]),
    )
    expect(usd).toEqual({
      inputPerMillionUsd: '2',
      cachedInputPerMillionUsd: '0.5',
      cacheWritePerMillionUsd: '2',
      outputPerMillionUsd: '8',
      reasoningPerMillionUsd: '8',
      perRequestUsd: '0.01',
      perMinuteUsd: '0.006',
      perImageUsd: '0.04',
    })
  })

  it('finds the parts that differ, with what is missing on either side', () => {
    const other = priceOfList('b', { inputPerMillionUsd: 2, outputPerMillionUsd: 10, perSearchUsd: 1 })
    const changes = changesOf(price, other)
    expect(changes.map(({ part }) => part)).toEqual([
      'cachedInputPerMillionUsd',
      'outputPerMillionUsd',
      'reasoningPerMillionUsd',
      'perRequestUsd',
      'perImageUsd',
      'perMinuteUsd',
      'perSearchUsd',
    ])
    expect(changes.map(percentOf)).toEqual([300, 25, 25, undefined, undefined, undefined, undefined])
    expect(changesOf(price, price)).toEqual([])
    expect(changesOf(undefined, price)).toEqual([])
  })
})

describe('isDrastic()', () => {
  it.each([
    [10, 100, false],
    [10, 101, true],
    [100, 10, false],
    [101, 10, true],
    [10, 0, true],
    [0, 10, true],
    [undefined, 10, false],
    [10, undefined, false],
  ])('from %s to %s is %s', (from, to, drastic) => {
    expect(isDrastic({ part: 'inputPerMillionUsd', from, to })).toBe(drastic)
  })

  it('is what every call paid, and pays no more', () => {
    expect(isDrastic({ part: 'perRequestUsd', from: 10, to: undefined })).toBe(true)
    expect(isDrastic({ part: 'perRequestUsd', from: undefined, to: 10 })).toBe(false)
  })
})

describe('sourceOf()', () => {
  it.each([
    ['override:0199-org:0199-id', 'organization'],
    ['override:0123456789abcdef', 'configuration'],
    ['free', 'free'],
    ['list:0123456789abcdef', 'kind'],
    ['genai-prices@0.1.8:openai/gpt-4o:base', 'data'],
    ['units@2026-11-21:openai/tts-1', 'units'],
    ['ceiling:0123456789abcdef', 'ceiling'],
  ])('of %s is %s', (version, source) => {
    expect(sourceOf(version)).toBe(source)
  })
})
