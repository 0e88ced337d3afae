import { describe, expect, it } from 'vitest'
import type { EmbeddingRequest } from '../../contract/embeddings.ts'
import { fromCountReply, toCountRequest } from './count-tokens.ts'
import { fromEmbeddingReply, toEmbeddingRequest } from './embeddings.ts'

const TARGET = { model: 'gemini-embedding-001', traits: {} }
const REQUEST: EmbeddingRequest = {
  model: 'embed',
  inputs: ['a', 'b'],
  encodingFormat: 'float',
  unmapped: [],
}

describe('toEmbeddingRequest()', () => {
  it('writes one request per input', () => {
    expect(toEmbeddingRequest({ ...REQUEST, dimensions: 256, taskType: 'RETRIEVAL_QUERY' }, TARGET)).toEqual({
      path: '/models/gemini-embedding-001:batchEmbedContents',
      body: {
        requests: ['a', 'b'].map((text) => ({
          model: 'models/gemini-embedding-001',
          content: { parts: [{ text }] },
          taskType: 'RETRIEVAL_QUERY',
          outputDimensionality: 256,
        })),
      },
      warnings: [],
    })
  })

  it('refuses token ids', () => {
    expect(() => toEmbeddingRequest({ ...REQUEST, inputs: [[1, 2]] }, TARGET)).toThrow(
      expect.objectContaining({ code: 'unsupported_feature', param: 'input[0]' }),
    )
  })

  it('warns about what it leaves out', () => {
    const unmapped = [{ path: 'foo', value: 1 }]
    const { warnings } = toEmbeddingRequest({ ...REQUEST, user: 'u', unmapped }, TARGET)
    expect(warnings.map((warning) => warning.param)).toEqual(['foo', 'user'])
  })
})

describe('fromEmbeddingReply()', () => {
  it('reads vectors and usage', () => {
    const body = {
      embeddings: [{ values: [0.1, 2] }],
      usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 },
    }
    expect(fromEmbeddingReply(body, 'm', 1)).toEqual({
      model: 'm',
      vectors: [[0.1, 2]],
      usage: { inputTokens: 3, outputTokens: 0 },
    })
  })

  it('reads the one vector of embedContent', () => {
    expect(fromEmbeddingReply({ embedding: { values: [1] } }, 'm', 1).vectors).toEqual([[1]])
  })

  it.each([[{}], [{ embeddings: [] }], [{ embeddings: [{}] }], [{ embeddings: [{ values: ['1'] }] }]])(
    'throws upstream_error for %j',
    (body) => {
      expect(() => fromEmbeddingReply(body, 'm', 1)).toThrow(
        expect.objectContaining({ code: 'upstream_error' }),
      )
    },
  )
})

describe('toCountRequest()', () => {
  it('counts system text and tools too', () => {
    const { path, body } = toCountRequest(
      {
        model: 'x',
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'S' }] },
          { role: 'user', content: [{ type: 'text', text: 'U' }] },
        ],
        tools: [{ name: 'f' }],
        stream: false,
        includeUsage: true,
        unmapped: [],
      },
      { model: 'gemini-3.8-flash', traits: {} },
    )
    expect(path).toBe('/models/gemini-3.8-flash:countTokens')
    expect(body).toEqual({
      generateContentRequest: {
        model: 'models/gemini-3.8-flash',
        contents: [{ role: 'user', parts: [{ text: 'U' }] }],
        systemInstruction: { parts: [{ text: 'S' }] },
        tools: [{ functionDeclarations: [{ name: 'f' }] }],
      },
    })
  })
})

describe('fromCountReply()', () => {
  it('reads the count, or throws', () => {
    expect(fromCountReply({ totalTokens: 31 })).toBe(31)
    expect(() => fromCountReply({})).toThrow(expect.objectContaining({ code: 'upstream_error' }))
  })
})
