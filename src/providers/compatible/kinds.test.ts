import { readFileSync } from 'node:fs'
import { findProvider } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { traitsOf } from '../provider-kind.ts'
import { compatibleKinds } from './kinds.ts'

function kind(name: string) {
  const found = compatibleKinds.find((row) => row.name === name)
  if (found === undefined) throw new Error(`There is no kind ${name}.`)
  return found
}

describe('compatibleKinds', () => {
  it('compatibleKinds has every promised provider once', () => {
    const names = compatibleKinds.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining([
        'openai',
        'azure-openai',
        'groq',
        'mistral',
        'deepseek',
        'xai',
        'together',
        'fireworks',
        'openrouter',
        'perplexity',
        'cerebras',
        'nebius',
        'moonshot',
        'zhipu',
        'cohere-compat',
        'ollama',
        'vllm',
        'lmstudio',
        'llamacpp',
        'sglang',
        'huggingface',
        'nvidia-nim',
        'sambanova',
        'openai-compatible',
      ]),
    )
  })

  it.each(compatibleKinds.map((row) => [row.name, row] as const))(
    'compatibleKinds row %s is sound',
    (_name, row) => {
      expect(row.name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      if (row.baseUrl !== undefined) {
        const url = new URL(row.baseUrl)
        expect(row.baseUrl.endsWith('/')).toBe(false)
        // Keys travel in the clear to no other machine.
        expect(url.protocol === 'https:' || url.hostname === '127.0.0.1').toBe(true)
      }
      for (const format of row.formats) expect(row.endpoints[format]).toMatch(/^\//)
      expect(row.endpoints.chat).toBeDefined()
      if (row.pricesId !== undefined)
        expect(findProvider({ providerId: row.pricesId })?.id).toBe(row.pricesId)
      expect(row.keyOptional === true || row.envKeys.length > 0).toBe(true)
      if (row.free === true) expect(row.baseUrl).toContain('127.0.0.1')
    },
  )

  it('compatibleKinds and docs/providers.md name the same providers, hosts and keys', () => {
    const page = readFileSync(new URL('../../../docs/providers.md', import.meta.url), 'utf8')
    for (const { name, title, baseUrl, envKeys } of compatibleKinds) {
      const line = page.split('\n').find((row) => row.startsWith(`| \`${name}\` | ${title} |`))
      expect(line, name).toContain(baseUrl === undefined ? 'yours' : baseUrl.replace('https://', ''))
      for (const key of envKeys) expect(line).toContain(`\`${key}\``)
    }
  })

  it('traitsOf() adds up what models refuse and lets later rows win', () => {
    const xai = kind('xai')
    expect(traitsOf(xai, 'grok-4-fast-reasoning').refuses).toEqual([
      'presence_penalty',
      'frequency_penalty',
      'stop',
      'reasoning_effort',
    ])
    expect(traitsOf(xai, 'grok-3-mini').refuses).toEqual(['presence_penalty', 'frequency_penalty', 'stop'])
    expect(traitsOf(xai, 'grok-4.5').refuses).not.toContain('reasoning_effort')
    expect(traitsOf(xai, 'grok-3').refuses).toEqual(['reasoning_effort'])
    expect(traitsOf(kind('moonshot'), 'kimi-k2.6').reasoningRequest).toBe('toggle')
    expect(traitsOf(kind('moonshot'), 'kimi-k3').reasoningRequest).toBeUndefined()
  })

  it.each([
    ['gpt-4o', ['reasoning_effort']],
    ['gpt-4.1-mini', ['reasoning_effort']],
    ['gpt-5-chat-latest', ['reasoning_effort']],
    ['text-embedding-3-small', undefined],
  ])('traitsOf() leaves sampling to %s', (model, refuses) => {
    expect(traitsOf(kind('openai'), model).refuses).toEqual(refuses)
  })

  it.each(['gpt-5', 'gpt-5.2', 'gpt-5-mini', 'o1', 'o3-pro', 'o4-mini'])(
    'traitsOf() knows that %s refuses sampling settings',
    (model) => {
      const { refuses } = traitsOf(kind('openai'), model)
      expect(refuses).toEqual(expect.arrayContaining(['temperature', 'top_p']))
      expect(refuses).not.toContain('reasoning_effort')
      expect(refuses?.includes('stop')).toBe(/^o(3|4)/.test(model))
    },
  )

  it('compatibleKinds makes Azure of a bare endpoint and the header api-key', () => {
    expect(kind('azure-openai')).toMatchObject({ auth: { header: 'api-key' }, basePath: '/openai/v1' })
    expect(kind('azure-openai').baseUrl).toBeUndefined()
  })
})
