import type { EmbeddingReply, EmbeddingRequest } from '../../contract/embeddings.ts'
import { isObject } from '../../contract/formats/gemini/fields.ts'
import { requireTranslatable } from '../../contract/formats/gemini/translatable.ts'
import { GatewayError } from '../../core/errors.ts'
import type { ChatTarget, WireRequest } from '../provider.ts'
import { modelPath } from './model-path.ts'
import { usageOf } from './usage.ts'
import { createWarnings } from './warnings.ts'

/**
 * @returns the call of `batchEmbedContents`, which serves one input as well as many
 * @throws GatewayError `unsupported_feature` for token ids, which belong to another tokenizer, and for what only a
 *   forwarded request can hold
 */
export function toEmbeddingRequest(request: EmbeddingRequest, target: ChatTarget): WireRequest {
  const warnings = createWarnings()
  requireTranslatable(request)
  for (const { path } of request.unmapped) {
    warnings.add(path, 'Gemini has nothing like this field; it was left out.')
  }
  if (request.user !== undefined) warnings.add('user', 'Gemini is not told who the end user is.')
  const path = modelPath(target.model)
  const { taskType, title, dimensions } = request
  const requests = request.inputs.map((input, index) => {
    if (typeof input !== 'string') {
      throw new GatewayError('unsupported_feature', {
        message: 'Gemini reads texts: token ids mean something only to the model whose tokenizer made them.',
        param: `input[${index}]`,
      })
    }
    return {
      model: path.slice(1),
      content: { parts: [{ text: input }] },
      ...(taskType === undefined ? {} : { taskType }),
      ...(title === undefined ? {} : { title }),
      ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
    }
  })
  return { path: `${path}:batchEmbedContents`, body: { requests }, warnings: warnings.all() }
}

/**
 * @param model what was asked for: the reply does not name it
 * @returns vectors in the order of the inputs; usage only where Google says it, which older models do not
 * @throws GatewayError `upstream_error` where a vector is missing
 */
export function fromEmbeddingReply(body: unknown, model: string, inputs: number): EmbeddingReply {
  const vectors = embeddingsOf(body).map(toVector)
  if (vectors.length !== inputs) {
    throw new GatewayError('upstream_error', {
      message: `The provider answered with ${vectors.length} vectors for ${inputs} inputs.`,
    })
  }
  return { model, vectors, usage: usageOf(body) }
}

/** `embedContent`, which a forwarded call may have been, answers with one `embedding`. */
function embeddingsOf(body: unknown): readonly unknown[] {
  if (!isObject(body)) return []
  if (Array.isArray(body.embeddings)) return body.embeddings
  return isObject(body.embedding) ? [body.embedding] : []
}

function toVector(embedding: unknown): readonly number[] {
  const values: unknown = isObject(embedding) ? embedding.values : undefined
  if (Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === 'number'))
    return values
  throw new GatewayError('upstream_error', {
    message: 'The provider answered with an embedding that is no vector.',
  })
}
