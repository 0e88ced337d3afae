import { describe, expect, it } from 'vitest'
import { reportedUsage } from './forward-usage.ts'

describe('reportedUsage()', () => {
  it('reads the tokens of images, and takes what an image model puts out for image', () => {
    const usage = {
      input_tokens: 12,
      input_tokens_details: { text_tokens: 2, image_tokens: 10 },
      output_tokens: 100,
      total_tokens: 112,
    }
    expect(reportedUsage({ usage }, 'image').usage).toMatchObject({
      inputTokens: 12,
      inputImageTokens: 10,
      outputTokens: 100,
      outputImageTokens: 100,
    })
    const detailed = { ...usage, output_tokens_details: { image_tokens: 90, text_tokens: 10 } }
    expect(reportedUsage({ usage: detailed }, 'image').usage.outputImageTokens).toBe(90)
    expect(reportedUsage({ usage }, 'batch').usage.outputImageTokens).toBeUndefined()
  })

  it('reads the tokens of a transcription, and of a stream of speech', () => {
    const usage = {
      type: 'tokens',
      input_tokens: 50,
      input_token_details: { text_tokens: 0, audio_tokens: 50 },
      output_tokens: 7,
    }
    expect(reportedUsage({ usage }, 'transcription').usage).toMatchObject({
      inputTokens: 50,
      inputAudioTokens: 50,
      outputTokens: 7,
    })
  })

  it.each([
    ['a usage of its own', { usage: { type: 'duration', seconds: 1.5 } }, 1.5],
    ['its duration as a number', { text: 'x', duration: 8.25 }, 8.25],
    ['its duration as a text', { text: 'x', duration: '8.25' }, 8.25],
  ])('reads the seconds of a transcription from %s', (_from, body, audioSeconds) => {
    expect(reportedUsage(body, 'transcription')).toEqual({
      usage: { inputTokens: 0, outputTokens: 0 },
      units: { audioSeconds },
    })
  })

  it.each([
    ['Jina', { usage: { total_tokens: 9 } }],
    ['vLLM', { usage: { prompt_tokens: 9, total_tokens: 9 } }],
    ['Cohere', { meta: { billed_units: { search_units: 1 }, tokens: { input_tokens: 9 } } }],
  ])('reads the tokens of a rerank as %s writes them', (_who, body) => {
    expect(reportedUsage(body, 'rerank').usage).toMatchObject({ inputTokens: 9, outputTokens: 0 })
  })

  it.each([
    undefined,
    'text',
    {},
    { usage: null },
    { usage: { input_tokens: -1, output_tokens: 2 } },
    { usage: { type: 'duration', seconds: '3' } },
    { meta: { billed_units: { search_units: 1 } } },
  ])('says nothing where nothing usable is said: %j', (body) => {
    expect(reportedUsage(body, 'image')).toEqual({ usage: {}, units: {} })
  })
})
