import fc from 'fast-check'
import { countTokens as countByCl100k } from 'gpt-tokenizer/encoding/cl100k_base'
import { countTokens as countByO200k } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, test } from 'vitest'
import { countTokens, encodingOf } from './token-count.ts'

const asText = { disallowedSpecial: new Set<string>() }

const word = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  fc.constantFrom(
    'the',
    'don’t',
    "it's",
    '1234567',
    '\n',
    '\n\n',
    '  ',
    '\t',
    '...',
    '漢字',
    '👍🏽',
    '<|endoftext|>',
  ),
)
/** A slice may only end where one space stands between two words: the others are there to be mistaken for it. */
const gap = fc.constantFrom(' ', ' ', '  ', '    ', ' \n ', '\n  ', ' \t', '\u00a0 ', '\u3000 ')
/** Long enough for several slices, each of which has a place where it may end. */
const prose = fc
  .array(fc.tuple(word, gap), { minLength: 1, maxLength: 25 })
  .map((words) => Array.from({ length: 60 }, () => words.flat().join('')).join('so it ends '))

describe('countTokens()', () => {
  test('equals the tokenizer’s own count of the whole, however the text is sliced', async () => {
    await fc.assert(
      fc.asyncProperty(prose, async (text) => {
        expect(await countTokens([text], 'o200k_base')).toBe(countByO200k(text, asText))
        expect(await countTokens([text], 'cl100k_base')).toBe(countByCl100k(text, asText))
      }),
      { numRuns: 60 },
    )
  })

  test('counts the two encodings differently', async () => {
    const text = 'Привет, как дела?'
    expect(await countTokens([text], 'o200k_base')).toBeLessThan(await countTokens([text], 'cl100k_base'))
  })

  test('counts what looks like a special token as the characters it is made of', async () => {
    expect(await countTokens(['<|endoftext|>'], 'o200k_base')).toBe(7)
  })

  test('adds up texts, and nothing costs nothing', async () => {
    expect(await countTokens([], 'o200k_base')).toBe(0)
    expect(await countTokens(['', ''], 'o200k_base')).toBe(0)
    expect(await countTokens(['hello', 'world'], 'o200k_base')).toBe(2)
  })

  test('stays within a token for each cut of a run without any space', async () => {
    const run = '漢字仮名交じり文の例'.repeat(500)
    const whole = countByO200k(run.slice(0, 1000), asText) * (run.length / 1000)
    const counted = await countTokens([run], 'o200k_base')
    expect(Math.abs(counted - whole)).toBeLessThanOrEqual(2 * Math.ceil(run.length / 1000))
  })

  test('never cuts between the halves of a character', async () => {
    const smileys = `x${'😀'.repeat(1024)}`
    const one = countByO200k('😀', asText)
    expect(await countTokens([smileys], 'o200k_base')).toBeLessThanOrEqual(1 + one * 1024 + 3)
  })

  test('counts the end of a huge text by proportion to its beginning', async () => {
    const million = 'word '.repeat((1 << 20) / 5)
    const once = await countTokens([million], 'o200k_base')
    const twice = await countTokens([million, million], 'o200k_base')
    expect(twice / once).toBeCloseTo(2, 3)
  })

  test('lets others work while it counts', async () => {
    let turns = 0
    const ticking = setInterval(() => turns++, 0)
    await countTokens(['word '.repeat(100_000)], 'o200k_base')
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(0)
  })
})

describe('encodingOf()', () => {
  test.each([
    'gpt-4',
    'gpt-4-turbo',
    'gpt-3.5-turbo',
    'gpt-35-turbo',
    'openai/gpt-4',
    'text-embedding-3-small',
  ])('is cl100k_base for %s', (model) => {
    expect(encodingOf(model)).toBe('cl100k_base')
  })

  test.each([
    'gpt-4o',
    'gpt-4.1-mini',
    'gpt-4.5-preview',
    'gpt-5',
    'o3',
    'claude-sonnet-4-5',
    'gemini-2.5-pro',
    '',
  ])('is o200k_base for %s', (model) => {
    expect(encodingOf(model)).toBe('o200k_base')
  })
})
