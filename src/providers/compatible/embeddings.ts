import type { EmbeddingReply, EmbeddingRequest } from '../../contract/embeddings.ts'
import { isObject } from '../../contract/formats/chat/fields.ts'
import { GatewayError } from '../../core/errors.ts'
import type { ChatTarget, WireRequest } from '../provider.ts'
import type { CompatibleTraits } from './traits.ts'
import { findUsage } from './usage.ts'
import { Warnings } from './warnings.ts'

const INPUT_TYPES: Readonly<Record<string, string>> = {
  RETRIEVAL_QUERY: 'query',
  RETRIEVAL_DOCUMENT: 'passage',
}

/**
 * @returns the body of `POST /embeddings`. Plain numbers are asked for, by not asking: every server answers so,
 *   while several refuse `encoding_format`
 */
export function embeddingToRequest(request: EmbeddingRequest, target: ChatTarget): WireRequest {
  const traits: CompatibleTraits = target.traits
  const warnings = new Warnings()
  const [only, ...others] = request.inputs
  const body: Record<string, unknown> = {
    model: target.model,
    input: others.length === 0 ? only : request.inputs,
    ...(request.dimensions === undefined
      ? {}
      : { [traits.dimensionsField ?? 'dimensions']: request.dimensions }),
    ...(request.user === undefined || traits.refuses?.includes('user') === true
      ? {}
      : { user: request.user }),
    ...purposeFields(request, traits, warnings),
  }
  if (request.title !== undefined) {
    warnings.add('title', 'This provider has no titles of documents; it was left out.')
  }
  for (const { path } of request.unmapped) {
    warnings.add(path, 'This field of the request has no counterpart at the provider and was left out.')
  }
  return { path: '/embeddings', body, warnings: warnings.list() }
}

function purposeFields(
  request: EmbeddingRequest,
  traits: CompatibleTraits,
  warnings: Warnings,
): Record<string, unknown> {
  if (request.taskType === undefined) return {}
  const inputType = INPUT_TYPES[request.taskType]
  if (traits.embeddingInputType === true && inputType !== undefined) return { input_type: inputType }
  warnings.add('taskType', 'This provider cannot be told what vectors are for; it was left out.')
  return {}
}

/**
 * @param inputCount how many vectors were asked for: fewer would be taken for those of other texts
 * @throws GatewayError `upstream_error` where the body does not hold them
 */
export function embeddingFromReply(body: unknown, model: string, inputCount: number): EmbeddingReply {
  if (!isObject(body) || !Array.isArray(body.data) || body.data.length !== inputCount) throw unusable()
  const rows = body.data.filter(isObject).map((row, position) => ({
    index: typeof row.index === 'number' ? row.index : position,
    vector: toVector(row.embedding),
  }))
  rows.sort((a, b) => a.index - b.index)
  return {
    model: typeof body.model === 'string' && body.model !== '' ? body.model : model,
    vectors: rows.map(({ vector }) => vector),
    usage: findUsage(body) ?? {},
  }
}

function toVector(embedding: unknown): number[] {
  if (typeof embedding === 'string') return fromBase64(embedding)
  const isNumbers = (list: unknown): list is number[] => {
    return Array.isArray(list) && list.every((value) => typeof value === 'number')
  }
  if (isNumbers(embedding)) return embedding
  throw unusable()
}

const FLOAT_BYTES = 4

/** @returns the vector of 32-bit little-endian floats in base64 */
function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  return Array.from({ length: Math.floor(bytes.length / FLOAT_BYTES) }, (_, index) => {
    return bytes.readFloatLE(index * FLOAT_BYTES)
  })
}

function unusable(): GatewayError {
  return new GatewayError('upstream_error', {
    message: 'The provider answered without the vectors asked for.',
  })
}
