import { describe, expect, it } from 'vitest'
import { geminiBatchEmbedFormat, geminiEmbedFormat } from './embeddings.ts'
import { requireTranslatable } from './translatable.ts'

const CONTEXT = { requestId: 'r', nowSeconds: 1, pathModel: 'embed' }

describe('geminiEmbedFormat', () => {
  it('reads one content', () => {
    const body = {
      model: 'models/embed',
      content: { role: 'user', parts: [{ text: 'a' }, { text: 'b' }] },
      task_type: 'RETRIEVAL_DOCUMENT',
      title: 'T',
      outputDimensionality: 256,
    }
    expect(geminiEmbedFormat.parseRequest(body, CONTEXT)).toEqual({
      model: 'embed',
      inputs: ['a\nb'],
      dimensions: 256,
      encodingFormat: 'float',
      taskType: 'RETRIEVAL_DOCUMENT',
      title: 'T',
      unmapped: [],
    })
  })

  it('writes one embedding', () => {
    const request = geminiEmbedFormat.parseRequest({ content: { parts: [{ text: 'a' }] } }, CONTEXT)
    const reply = { model: 'm', vectors: [[0.5, 1]], usage: { inputTokens: 3 } }
    expect(geminiEmbedFormat.toReply(reply, request)).toEqual({
      embedding: { values: [0.5, 1] },
      usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 },
    })
  })

  it('says that media can go to Google only', () => {
    const content = { parts: [{ inlineData: { mimeType: 'image/png', data: 'iVBO' } }] }
    const request = geminiEmbedFormat.parseRequest({ content }, CONTEXT)
    expect(() => requireTranslatable(request)).toThrow(
      expect.objectContaining({ code: 'unsupported_feature', param: 'content.parts[0].inlineData' }),
    )
  })

  it.each([
    [{}, 'content'],
    [{ content: { parts: [{ text: 1 }] } }, 'content.parts[0].text'],
    [{ content: { parts: [] }, outputDimensionality: 0 }, 'outputDimensionality'],
  ])('refuses %j and names the field', (body, param) => {
    expect(() => geminiEmbedFormat.parseRequest(body, CONTEXT)).toThrow(
      expect.objectContaining({ code: 'invalid_request', param }),
    )
  })
})

describe('geminiBatchEmbedFormat', () => {
  const one = (text: string, rest: object = {}) => ({
    model: 'models/embed',
    content: { parts: [{ text }] },
    ...rest,
  })

  it('reads many contents and writes as many embeddings', () => {
    const request = geminiBatchEmbedFormat.parseRequest({ requests: [one('a'), one('b')] }, CONTEXT)
    expect(request).toEqual({ model: 'embed', inputs: ['a', 'b'], encodingFormat: 'float', unmapped: [] })
    const reply = { model: 'm', vectors: [[1], [2]], usage: {} }
    expect(geminiBatchEmbedFormat.toReply(reply, request)).toEqual({
      embeddings: [{ values: [1] }, { values: [2] }],
    })
  })

  it('lists what is not the same for all', () => {
    const requests = [one('a', { taskType: 'X' }), one('b', { taskType: 'Y', outputDimensionality: 3 })]
    const request = geminiBatchEmbedFormat.parseRequest({ requests }, CONTEXT)
    expect(request.unmapped).toEqual([
      { path: 'requests[1].taskType', value: 'Y' },
      { path: 'requests[1].outputDimensionality', value: 3 },
    ])
    expect(() => requireTranslatable(request)).toThrow(
      expect.objectContaining({ param: 'requests[1].outputDimensionality' }),
    )
  })

  it.each([
    [{ requests: [] }, 'requests'],
    [{ requests: Array.from({ length: 1001 }, () => one('a')) }, 'requests'],
    [{ requests: [{ ...one('a'), model: 'models/other' }] }, 'requests[0].model'],
  ])('refuses what is no batch for this model', (body, param) => {
    expect(() => geminiBatchEmbedFormat.parseRequest(body, CONTEXT)).toThrow(
      expect.objectContaining({ code: 'invalid_request', param }),
    )
  })
})
