import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, test } from 'vitest'
import type { ChatRequest, Part } from '../contract/chat.ts'
import { countChatTokens } from './chat-tokens.ts'

function request(content: readonly Part[], rest: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: 'gpt-4o',
    messages: [{ role: 'user', content }],
    stream: false,
    includeUsage: false,
    unmapped: [],
    ...rest,
  }
}

const hello: Part = { type: 'text', text: 'hello world' }

async function extra(part: Part, model = 'gpt-4o'): Promise<number> {
  return (
    (await countChatTokens(request([hello, part]), model)) - (await countChatTokens(request([hello]), model))
  )
}

describe('countChatTokens()', () => {
  test('counts the cookbook’s example as OpenAI’s API does', async () => {
    // Section 6 of https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken: 124 by gpt-4o's usage.
    const system =
      'You are a helpful, pattern-following assistant that translates corporate jargon into plain English.'
    const turns: readonly (readonly [string, string])[] = [
      ['example_user', 'New synergies will help drive top-line growth.'],
      ['example_assistant', 'Things working well together will increase revenue.'],
      [
        'example_user',
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
      ],
      ['example_assistant', "Let's talk later when we're less busy about how to do better."],
    ]
    const last = "This late pivot means we don't have time to boil the ocean for the client deliverable."
    const counted = await countChatTokens(
      request([], {
        messages: [
          { role: 'system', content: [{ type: 'text', text: system }] },
          ...turns.map(([name, text]) => ({
            role: 'system' as const,
            name,
            content: [{ type: 'text' as const, text }],
          })),
          { role: 'user', content: [{ type: 'text', text: last }] },
        ],
      }),
      'gpt-4o',
    )
    expect(counted).toBe(124)
  })

  test('counts each message and name with what surrounds them', async () => {
    const one = await countChatTokens(request([hello]), 'gpt-4o')
    expect(one).toBe(3 + 3 + countTokens('user') + countTokens('hello world'))
    const named = request([], { messages: [{ role: 'user', name: 'bob', content: [hello] }] })
    expect(await countChatTokens(named, 'gpt-4o')).toBe(one + 1 + countTokens('bob'))
  })

  test('counts tools, their calls and their results', async () => {
    const bare = await countChatTokens(request([hello]), 'gpt-4o')
    const tool = { name: 'weather', description: 'The weather of a city.', parameters: { type: 'object' } }
    const tooled = await countChatTokens(request([hello], { tools: [tool] }), 'gpt-4o')
    expect(tooled - bare).toBe(
      9 + countTokens(tool.name) + countTokens(tool.description) + countTokens('{"type":"object"}'),
    )
    expect(await extra({ type: 'tool-call', id: 'x', name: 'weather', arguments: '{"city":"Bern"}' })).toBe(
      3 + countTokens('weather') + countTokens('{"city":"Bern"}'),
    )
    expect(await extra({ type: 'tool-result', callId: 'x', content: [{ type: 'text', text: 'snow' }] })).toBe(
      1,
    )
  })

  test('counts the schema an answer has to follow', async () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } } }
    const format = { type: 'json-schema', name: 'place', schema } as const
    const plain = await countChatTokens(request([hello]), 'gpt-4o')
    expect(await countChatTokens(request([hello], { responseFormat: format }), 'gpt-4o')).toBe(
      plain + countTokens(JSON.stringify(schema)),
    )
  })

  test.each([
    ['gpt-4o', 'low', 85],
    ['gpt-4o', 'high', 85 + 8 * 170],
    ['openai/gpt-4o-mini', undefined, 2833 + 8 * 5667],
    ['gpt-4.1-mini', 'auto', Math.ceil(1536 * 1.62)],
    ['claude-sonnet-4-5', undefined, 1661],
    ['gemini-2.5-pro', undefined, 1101],
    ['a-model-of-tomorrow', undefined, 4005],
  ])('counts an image for %s at detail %s as %d tokens', async (model, detail, tokens) => {
    const source = { kind: 'url', url: 'https://example.com/cat.png' } as const
    expect(await extra({ type: 'image', source, ...(detail === undefined ? {} : { detail }) }, model)).toBe(
      tokens,
    )
  })

  test('counts sound and files by their size, and where it is unknown not as nothing', async () => {
    const data = 'A'.repeat(40_000)
    const wav = { kind: 'base64', mediaType: 'audio/wav', data } as const
    const pdf = { kind: 'base64', mediaType: 'application/pdf', data } as const
    const text = { kind: 'base64', mediaType: 'text/plain', data } as const
    expect(await extra({ type: 'audio', source: wav })).toBe(240)
    expect(await extra({ type: 'file', source: pdf })).toBe(2500)
    expect(await extra({ type: 'file', source: text })).toBe(8572)
    expect(await extra({ type: 'file', source: { kind: 'file', id: 'file-1' } })).toBeGreaterThan(0)
  })

  test('counts thoughts, refusals and parts it has no word for', async () => {
    expect(await extra({ type: 'reasoning', text: 'hmm' })).toBe(countTokens('hmm'))
    expect(await extra({ type: 'refusal', text: 'no' })).toBe(1)
    expect(await extra({ type: 'other', format: 'chat', raw: { a: 1 } })).toBe(countTokens('{"a":1}'))
    expect(await extra({ type: 'other', format: 'chat', raw: undefined })).toBe(0)
  })
})
