import { describe, expect, it } from 'vitest'
import type { EmbeddingRequest } from '../../contract/embeddings.ts'
import { GatewayError } from '../../core/errors.ts'
import { embeddingFromReply, embeddingToRequest } from './embeddings.ts'
import type { CompatibleTraits } from './traits.ts'

function write(fields: Partial<EmbeddingRequest> = {}, traits: CompatibleTraits = {}) {
  const request: EmbeddingRequest = {
    model: 'asked',
    inputs: ['a'],
    encodingFormat: 'base64',
    unmapped: [],
    ...fields,
  }
  return embeddingToRequest(request, { model: 'm', traits })
}

describe('embeddingToRequest()', () => {
  it('embeddingToRequest() writes one text as a string, several as an array, and no encoding', () => {
    expect(write()).toEqual({ path: '/embeddings', body: { model: 'm', input: 'a' }, warnings: [] })
    expect(write({ inputs: ['a', [1, 2]] }).body.input).toEqual(['a', [1, 2]])
  })

  it('embeddingToRequest() names the length as the provider does', () => {
    expect(write({ dimensions: 256 }).body).toMatchObject({ dimensions: 256 })
    expect(write({ dimensions: 256 }, { dimensionsField: 'output_dimension' }).body).toMatchObject({
      output_dimension: 256,
    })
  })

  it('embeddingToRequest() says what vectors are for where that can be said, else warns', () => {
    const asked = { taskType: 'RETRIEVAL_DOCUMENT', title: 'T' }
    const told = write(asked, { embeddingInputType: true })
    expect(told.body).toMatchObject({ input_type: 'passage' })
    expect(told.warnings.map(({ param }) => param)).toEqual(['title'])
    expect(write(asked).warnings.map(({ param }) => param)).toEqual(['taskType', 'title'])
  })

  it('embeddingToRequest() keeps the user from providers that refuse it', () => {
    expect(write({ user: 'u' }).body).toMatchObject({ user: 'u' })
    expect(write({ user: 'u' }, { refuses: ['user'] }).body).not.toHaveProperty('user')
  })
})

describe('embeddingFromReply()', () => {
  it('embeddingFromReply() puts vectors into the order of the inputs, numbers or base64', () => {
    const bytes = Buffer.alloc(8)
    bytes.writeFloatLE(0.5, 0)
    bytes.writeFloatLE(-2, 4)
    const body = {
      model: 'm-1',
      data: [
        { index: 1, embedding: bytes.toString('base64') },
        { index: 0, embedding: [0.25, 1] },
      ],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    }
    expect(embeddingFromReply(body, 'm', 2)).toMatchObject({
      model: 'm-1',
      vectors: [
        [0.25, 1],
        [0.5, -2],
      ],
      usage: { inputTokens: 4 },
    })
  })

  it.each([
    [{}],
    [{ data: [{ embedding: [1] }] }],
    [{ data: [{ embedding: [1] }, { embedding: { a: 1 } }] }],
    [{ data: [{ embedding: [1] }, { embedding: ['x'] }] }],
  ])('embeddingFromReply() throws for %j instead of two vectors', (body) => {
    expect(() => embeddingFromReply(body, 'm', 2)).toThrow(GatewayError)
  })
})
