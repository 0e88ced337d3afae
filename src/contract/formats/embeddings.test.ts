import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../core/errors.ts'
import { embeddingsFormat } from './embeddings.ts'

const CONTEXT = { requestId: 'r', nowSeconds: 1 }

function parse(fields: Record<string, unknown>) {
  return embeddingsFormat.parseRequest({ model: 'm', ...fields }, CONTEXT)
}

describe('embeddingsFormat', () => {
  it.each([
    ['a', ['a']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [[1, 2], [[1, 2]]],
    [
      [[1], [2, 3]],
      [[1], [2, 3]],
    ],
  ])('parseRequest() reads the input %j', (input, inputs) => {
    expect(parse({ input })).toMatchObject({ model: 'm', inputs, encodingFormat: 'float', unmapped: [] })
  })

  it('parseRequest() reads the other fields and lists what nobody else knows', () => {
    const request = parse({
      input: 'a',
      dimensions: 256,
      encoding_format: 'base64',
      user: 'u',
      input_type: 'query',
      truncate: 'END',
    })
    expect(request).toMatchObject({
      dimensions: 256,
      encodingFormat: 'base64',
      user: 'u',
      taskType: 'RETRIEVAL_QUERY',
      unmapped: [{ path: 'truncate', value: 'END' }],
    })
  })

  it.each([
    [{}, 'input'],
    [{ input: '' }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: ['a', ''] }, 'input[1]'],
    [{ input: ['a', 5] }, 'input[1]'],
    [{ input: [[1], []] }, 'input[1]'],
    [{ input: [1.5] }, 'input'],
    [{ input: 'a', dimensions: 0 }, 'dimensions'],
    [{ input: 'a', encoding_format: 'hex' }, 'encoding_format'],
    [{ input: 'a', model: 5 }, 'model'],
  ])('parseRequest() names the field at fault in %j', (fields, param) => {
    expect(() => parse(fields)).toThrow(GatewayError)
    expect(() => parse(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param }))
  })

  it('toReply() writes numbers, or the base64 that the official SDKs decode', () => {
    const reply = { model: 'm-1', vectors: [[0.5, -2]], usage: { inputTokens: 3 } }
    expect(embeddingsFormat.toReply(reply, parse({ input: 'a' }))).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, -2] }],
      model: 'm-1',
      usage: { prompt_tokens: 3, total_tokens: 3 },
    })
    const encoded = embeddingsFormat.toReply(reply, parse({ input: 'a', encoding_format: 'base64' }))
    expect(encoded).toMatchObject({ data: [{ embedding: 'AAAAPwAAAMA=' }] })
  })
})
