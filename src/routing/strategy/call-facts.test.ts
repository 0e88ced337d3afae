import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CallFormat, Incoming } from '../../pipeline/exchange.ts'
import { makeChatRequest, makeIncoming } from '../../pipeline/fixtures/make-exchange.ts'
import { needsOf } from './call-needs.ts'
import { inputTokensOf, outputTokensMaxOf } from './call-size.ts'
import { lastUserText, systemBeginning, turnCount } from './call-text.ts'
import { CAPABILITIES, type Capability, toNames, toSet } from './capabilities.ts'

const ALL = toSet(...CAPABILITIES)

function incoming(
  format: CallFormat,
  json: Record<string, unknown>,
  changes: Partial<Incoming> = {},
): Incoming {
  return makeIncoming(json, { format, ...changes })
}

const turn = (...parts: unknown[]) => [{ role: 'user', content: parts }]

describe('needsOf()', () => {
  const cases: readonly (readonly [CallFormat, Record<string, unknown>, readonly Capability[]])[] = [
    ['chat', {}, []],
    ['chat', { tools: [] }, []],
    ['chat', { tools: [{ type: 'function' }] }, ['tools']],
    ['chat', { functions: [{ name: 'f' }], n: 2 }, ['tools', 'choices']],
    ['chat', { response_format: { type: 'json_object' } }, []],
    ['chat', { response_format: { type: 'json_schema' } }, ['structured-output']],
    ['chat', { reasoning_effort: 'high' }, ['reasoning']],
    ['chat', { reasoning_effort: 'none', n: 1 }, []],
    ['chat', { stream: true }, ['streaming']],
    [
      'chat',
      { messages: turn({ type: 'image_url' }, { type: 'input_audio' }, { type: 'file' }) },
      ['images', 'audio', 'files'],
    ],
    ['chat', { messages: turn({ type: 'text', text: 'image_url' }) }, []],
    [
      'responses',
      { text: { format: { type: 'json_schema' } }, reasoning: { effort: 'low' } },
      ['structured-output', 'reasoning'],
    ],
    ['responses', { input: turn({ type: 'input_image' }, { type: 'input_file' }) }, ['images', 'files']],
    ['responses', { input: 'Hi' }, []],
    [
      'messages',
      { thinking: { type: 'enabled' }, output_config: { format: {} } },
      ['structured-output', 'reasoning'],
    ],
    ['messages', { thinking: { type: 'disabled' } }, []],
    ['messages', { messages: turn({ type: 'document' }) }, ['files']],
    ['messages', { messages: turn({ type: 'tool_result', content: [{ type: 'image' }] }) }, ['images']],
    [
      'gemini',
      { generationConfig: { candidateCount: 2, responseSchema: {} } },
      ['structured-output', 'choices'],
    ],
    ['gemini', { generation_config: { thinking_config: { thinking_budget: 100 } } }, ['reasoning']],
    ['gemini', { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } }, []],
    [
      'gemini',
      { contents: [{ parts: [{ inlineData: { mimeType: 'image/png' } }, { text: 'Hi' }] }] },
      ['images'],
    ],
    ['gemini', { contents: [{ parts: [{ file_data: { mime_type: 'application/pdf' } }] }] }, ['files']],
  ]
  it.each(cases)('reads in %s from %j: %j', (format, json, expected) => {
    expect(toNames(needsOf(incoming(format, json), ALL))).toEqual(expected)
  })

  it('looks only for what is asked', () => {
    const call = incoming('chat', { tools: [{}], stream: true, messages: turn({ type: 'image_url' }) })
    expect(toNames(needsOf(call, toSet('tools')))).toEqual(['tools'])
    expect(needsOf(call, 0)).toBe(0)
  })

  it('reads calls of this process from their neutral request', () => {
    const chat = () =>
      makeChatRequest({
        tools: [{ name: 'f' }],
        n: 3,
        responseFormat: { type: 'json-schema', name: 's', schema: {} },
        reasoning: { effort: 'low' },
        messages: [
          { role: 'user', content: [{ type: 'image', source: { kind: 'url', url: 'https://x/y.png' } }] },
        ],
      })
    const call = makeIncoming({}, { format: 'library', body: undefined, json: undefined, chat })
    expect(toNames(needsOf(call, ALL))).toEqual([
      'tools',
      'images',
      'structured-output',
      'choices',
      'reasoning',
    ])
  })

  it('reads every JSON without an error', () => {
    const format = fc.constantFrom<CallFormat>('chat', 'responses', 'messages', 'gemini', 'completions')
    const fields = fc.constantFrom(
      'messages',
      'input',
      'contents',
      'tools',
      'system',
      'generationConfig',
      'prompt',
    )
    fc.assert(
      fc.property(format, fc.dictionary(fields, fc.jsonValue()), (name, json) => {
        const call = incoming(name, json)
        expect(needsOf(call, ALL) & ~ALL).toBe(0)
        expect(typeof lastUserText(call)).toBe('string')
        expect(typeof systemBeginning(call, 10)).toBe('string')
        expect(turnCount(call)).toBeGreaterThan(0)
        expect(outputTokensMaxOf(call) ?? 1).toBeGreaterThan(0)
      }),
    )
  })
})

describe('inputTokensOf()', () => {
  const sized = (text: unknown) => {
    const json = { messages: [{ role: 'user', content: text }] }
    return inputTokensOf(makeIncoming(json))
  }

  it('goes by the size of the text, whatever its script', () => {
    expect(sized('word '.repeat(20_000))).toBeCloseTo(28_600, -3)
    expect(sized('港湾の計画。'.repeat(3000))).toBeCloseTo(15_450, -3)
  })

  it('takes a picture for a picture and not for its base64', () => {
    const url = `data:image/png;base64,${'iVBORw0KGgo'.repeat(50_000)}`
    expect(sized([{ type: 'image_url', image_url: { url } }])).toBeLessThan(2000)
  })
})

describe('outputTokensMaxOf()', () => {
  it.each([
    ['chat', { max_tokens: 5, max_completion_tokens: 7 }, 7],
    ['chat', { max_tokens: 5 }, 5],
    ['chat', { max_tokens: '5' }, undefined],
    ['messages', { max_tokens: 5 }, 5],
    ['responses', { max_output_tokens: 5 }, 5],
    ['gemini', { generationConfig: { maxOutputTokens: 5 } }, 5],
    ['gemini', { generation_config: { max_output_tokens: 5 } }, 5],
  ] as const)('reads in %s from %j: %j', (format, json, expected) => {
    expect(outputTokensMaxOf(incoming(format, json))).toBe(expected)
  })
})

describe('lastUserText()', () => {
  it.each([
    [
      'chat',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
      'a',
    ],
    [
      'chat',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'user', content: [{ type: 'text', text: 'b' }] },
        ],
      },
      'b',
    ],
    [
      'messages',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'user', content: [{ type: 'tool_result', content: 'x' }] },
        ],
      },
      'a',
    ],
    ['responses', { input: 'a' }, 'a'],
    ['responses', { input: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }] }] }, 'a'],
    ['gemini', { contents: [{ parts: [{ text: 'a' }, { text: 'b' }] }] }, 'a\nb'],
  ] as const)('reads in %s from %j: %j', (format, json, expected) => {
    expect(lastUserText(incoming(format, json))).toBe(expected)
  })

  it('reads the beginning and the end of a long text', () => {
    const text = lastUserText(
      makeIncoming({ messages: [{ role: 'user', content: `begin ${'x'.repeat(99_999)} end` }] }),
    )
    expect(text.length).toBeLessThan(2100)
    expect(text.startsWith('begin ') && text.endsWith(' end')).toBe(true)
  })
})

describe('systemBeginning()', () => {
  it.each([
    ['chat', { messages: [{ role: 'system', content: 'You are' }] }],
    ['chat', { messages: [{ role: 'developer', content: [{ type: 'text', text: 'You are' }] }] }],
    ['messages', { system: 'You are' }],
    ['messages', { system: [{ type: 'text', text: 'You are' }] }],
    ['responses', { instructions: 'You are' }],
    ['gemini', { systemInstruction: { parts: [{ text: 'You are' }] } }],
  ] as const)('finds it in %s in %j', (format, json) => {
    expect(systemBeginning(incoming(format, json), 3)).toBe('You')
  })
})
