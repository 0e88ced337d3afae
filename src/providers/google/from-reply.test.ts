import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../core/errors.ts'
import { fromReply } from './from-reply.ts'
import { usageOf } from './usage.ts'

function fixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8'))
}

describe('fromReply()', () => {
  it('reads text, model, id and usage', () => {
    expect(fromReply(fixture('text.json'))).toEqual({
      id: 'kP3xaPqmN5',
      model: 'gemini-2.5-flash',
      createdSeconds: 0,
      choices: [
        {
          index: 0,
          content: [{ type: 'text', text: 'Grüße aus 東京.' }],
          finishReason: 'stop',
          rawFinishReason: 'STOP',
        },
      ],
      usage: { inputTokens: 9, outputTokens: 7 },
    })
  })

  it('reads thoughts, calls without ids and their signature', () => {
    const [choice] = fromReply(fixture('thoughts-and-calls.json')).choices
    expect(choice?.finishReason).toBe('tool-calls')
    expect(choice?.content).toEqual([
      { type: 'reasoning', text: 'I need the weather.' },
      { type: 'text', text: 'Let me look.' },
      {
        type: 'tool-call',
        id: 'call_mAb_C-1_0_0',
        name: 'get_weather',
        arguments: '{"city":"Zürich"}',
        signature: 'EqoCCqcCAdHtim9bG1vZGVs',
      },
      { type: 'tool-call', id: 'call_mAb_C-1_0_1', name: 'get_weather', arguments: '{"city":"Bern"}' },
    ])
  })

  it('answers a blocked prompt with an empty choice', () => {
    expect(fromReply(fixture('blocked-prompt.json')).choices).toEqual([
      { index: 0, content: [], finishReason: 'content-filter', rawFinishReason: 'SAFETY' },
    ])
  })

  it('keeps grounding as a part of Gemini', () => {
    const groundingMetadata = { webSearchQueries: ['x'] }
    const candidate = { content: { parts: [{ text: 'a' }] }, finishReason: 'STOP', groundingMetadata }
    expect(fromReply({ candidates: [candidate] }).choices[0]?.content[1]).toEqual({
      type: 'other',
      format: 'gemini',
      raw: { groundingMetadata },
    })
  })

  it('names a finish reason it does not know', () => {
    const reply = fromReply({ candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL' }] })
    expect(reply.choices[0]).toMatchObject({
      finishReason: 'other',
      rawFinishReason: 'MALFORMED_FUNCTION_CALL',
    })
  })

  it.each([[null], ['text'], [[]], [{}], [{ candidates: [] }]])('throws upstream_error for %j', (body) => {
    expect(() => fromReply(body)).toThrow(GatewayError)
  })
})

describe('usageOf()', () => {
  it('adds thoughts to the output and results of tools to the input', () => {
    expect(usageOf(fixture('thoughts-and-calls.json'))).toEqual({
      inputTokens: 60,
      outputTokens: 130,
      cachedInputTokens: 16,
      reasoningTokens: 100,
    })
  })

  it('takes a count that Google left out for zero where the total says so', () => {
    expect(usageOf({ usageMetadata: { promptTokenCount: 31, totalTokenCount: 31 } })).toEqual({
      inputTokens: 31,
      outputTokens: 0,
    })
  })

  it('leaves open what nobody said', () => {
    expect(usageOf({ usageMetadata: { promptTokenCount: 31 } })).toEqual({ inputTokens: 31 })
    expect(usageOf({})).toEqual({})
    expect(usageOf(undefined)).toEqual({})
  })

  it('reads tokens of sound', () => {
    const usageMetadata = {
      promptTokenCount: 50,
      candidatesTokenCount: 5,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 10 },
        { modality: 'AUDIO', tokenCount: 40 },
      ],
    }
    expect(usageOf({ usageMetadata })).toMatchObject({ inputTokens: 50, inputAudioTokens: 40 })
  })

  it('ignores counts that are none', () => {
    expect(usageOf({ usageMetadata: { promptTokenCount: -1, candidatesTokenCount: '5' } })).toEqual({})
  })
})
