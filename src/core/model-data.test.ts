import { readFileSync } from 'node:fs'
import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, test } from 'vitest'
import { findModel, isResale, listModels, MODEL_DATA_VERSION, MODEL_NAME_LENGTH_MAX } from './model-data.ts'

const now = new Date('2026-11-21T12:00:00Z')

test('MODEL_DATA_VERSION is the version that is installed', () => {
  const file = new URL('../../node_modules/@pydantic/genai-prices/package.json', import.meta.url)
  expect(JSON.parse(readFileSync(file, 'utf8')).version).toBe(MODEL_DATA_VERSION)
})

describe('findModel()', () => {
  test.each([
    ['openai', 'gpt-4o-2024-08-06', 'gpt-4o'],
    ['openai', 'ft:gpt-4o-2024-08-06:acme::1', 'ft:gpt-4o'],
    ['anthropic', 'claude-sonnet-4-5-20250929', 'claude-sonnet-4-5'],
    ['google', 'models/gemini-2.5-pro', 'gemini-2.5-pro'],
    ['google', 'publishers/google/models/gemini-2.5-flash', 'gemini-2.5-flash'],
    ['openrouter', 'openai/gpt-4o', 'openai/gpt-4o'],
    ['azure', 'gpt-4o', 'gpt-4o'],
  ])('finds at %s the model %s', (provider, name, id) => {
    expect(findModel(provider, name, now)?.model.id).toBe(id)
  })

  test.each([
    ['openai', 'gpt-4o-of-mine'],
    ['openai', 'claude-sonnet-4-5'],
    ['openai', ''],
    ['openai', 'models/'],
    ['openai', `gpt-4o${'x'.repeat(MODEL_NAME_LENGTH_MAX)}`],
    ['nobody', 'gpt-4o'],
  ])('finds nothing at %s for a name it does not know: %s', (provider, name) => {
    expect(findModel(provider, name, now)).toBeUndefined()
  })

  test('reads every model of the data at once without an error', async () => {
    const providers = (await waitForUpdate()) ?? []
    expect(providers.length).toBeGreaterThan(40)
    for (const provider of providers) {
      for (const model of provider.models) expect(() => findModel(provider.id, model.id, now)).not.toThrow()
    }
  })
})

describe('isResale()', () => {
  test('tells Claude at Google from Gemini at Google and from GPT at Azure', () => {
    expect(isResale('google', 'claude-sonnet-4-5')).toBe(true)
    expect(isResale('google', 'gemini-2.5-pro')).toBe(false)
    expect(isResale('azure', 'gpt-4o')).toBe(false)
    expect(isResale('cerebras', 'gpt-oss-120b')).toBe(false)
  })
})

describe('listModels()', () => {
  test('is empty for a provider that nobody knows', () => {
    expect(listModels('nobody')).toEqual([])
  })
})
