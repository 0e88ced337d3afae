import type { EmbeddingEncoding, EmbeddingFormat, EmbeddingReply, EmbeddingRequest } from '../embeddings.ts'
import {
  invalidRequest,
  isAbsent,
  isObject,
  optionalInteger,
  optionalString,
  parseString,
} from './chat/fields.ts'
import { collectUnmapped } from './chat/unmapped.ts'

const KNOWN_FIELDS = new Set(['model', 'input', 'dimensions', 'encoding_format', 'user', 'input_type'])

/**
 * `input_type` is no field of OpenAI: NVIDIA, Voyage and Cohere name by it what Gemini calls the task. Only the two
 * that all of them know are read.
 */
const TASK_TYPES: Readonly<Record<string, string>> = {
  query: 'RETRIEVAL_QUERY',
  search_query: 'RETRIEVAL_QUERY',
  passage: 'RETRIEVAL_DOCUMENT',
  document: 'RETRIEVAL_DOCUMENT',
  search_document: 'RETRIEVAL_DOCUMENT',
}

/** OpenAI's `POST /v1/embeddings`. */
export const embeddingsFormat: EmbeddingFormat = { parseRequest, toReply }

/** @throws GatewayError `invalid_request` naming the field */
function parseRequest(body: unknown): EmbeddingRequest {
  if (!isObject(body)) throw invalidRequest(undefined, 'The body must be a JSON object.')
  if (typeof body.model !== 'string' || body.model === '') {
    throw invalidRequest('model', "You must provide a 'model': the name of a model, as a string.")
  }
  const unmapped: { path: string; value: unknown }[] = []
  collectUnmapped(body, KNOWN_FIELDS, '', unmapped)
  const inputType = optionalString(body.input_type, 'input_type')
  const taskType = inputType === undefined ? undefined : TASK_TYPES[inputType]
  if (inputType !== undefined && taskType === undefined)
    unmapped.push({ path: 'input_type', value: inputType })
  return {
    model: body.model,
    inputs: parseInputs(body.input),
    dimensions: optionalInteger(body.dimensions, 'dimensions', 1),
    encodingFormat: parseEncoding(body.encoding_format),
    user: optionalString(body.user, 'user'),
    taskType,
    unmapped,
  }
}

/** A text, the token ids of one, or an array of either. */
function parseInputs(input: unknown): (string | number[])[] {
  if (typeof input === 'string') return [nonEmpty(input, 'input')]
  if (!Array.isArray(input) || input.length === 0) {
    throw invalidRequest('input', "Invalid 'input': expected a string, an array of strings, or token ids.")
  }
  if (typeof input[0] === 'number') return [parseTokens(input, 'input')]
  return input.map((item, index) => {
    const path = `input[${index}]`
    return Array.isArray(item) ? parseTokens(item, path) : nonEmpty(parseString(item, path), path)
  })
}

function nonEmpty(text: string, path: string): string {
  if (text === '') throw invalidRequest(path, `Invalid '${path}': it must not be an empty string.`)
  return text
}

function parseTokens(tokens: readonly unknown[], path: string): number[] {
  const isIds = (list: readonly unknown[]): list is number[] => {
    return list.length > 0 && list.every((token) => Number.isInteger(token))
  }
  if (isIds(tokens)) return [...tokens]
  throw invalidRequest(path, `Invalid '${path}': expected token ids, as integers.`)
}

function parseEncoding(value: unknown): EmbeddingEncoding {
  if (isAbsent(value)) return 'float'
  if (value === 'float' || value === 'base64') return value
  throw invalidRequest('encoding_format', "Invalid value for 'encoding_format': expected float or base64.")
}

function toReply(reply: EmbeddingReply, request: EmbeddingRequest): Record<string, unknown> {
  const promptTokens = reply.usage.inputTokens ?? 0
  return {
    object: 'list',
    data: reply.vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: request.encodingFormat === 'base64' ? toBase64(vector) : vector,
    })),
    model: reply.model || request.model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  }
}

const FLOAT_BYTES = 4

/** @returns 32-bit floats, little-endian, in base64: what the official SDKs ask for by default and decode */
function toBase64(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * FLOAT_BYTES)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * FLOAT_BYTES)
  return bytes.toString('base64')
}
