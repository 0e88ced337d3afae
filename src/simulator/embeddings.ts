/** Embeddings in OpenAI's and Gemini's shape. */

import type { Call } from './call.ts'
import { SimulatedError } from './error-shapes.ts'
import { isObject, toList, toNumber, toObject, toText } from './json.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'
import { toPlainModel } from './script.ts'
import { countTokens } from './tokens.ts'
import { toVector } from './vectors.ts'

const DIMENSIONS_MAX = 4096

/** What the real models of these names answer with by default; every other name is kept small. */
const DIMENSIONS: Readonly<Record<string, number>> = {
  'text-embedding-3-small': 1536,
  'text-embedding-3-large': 3072,
  'text-embedding-ada-002': 1536,
  'gemini-embedding-001': 3072,
  'text-embedding-004': 768,
}

export function answerEmbeddings(call: Call): SimulatedReply {
  const { body, model } = call
  if (model === '') throw new SimulatedError(400, 'you must provide a model parameter')
  const inputs = readInputs(body.input)
  if (inputs.length === 0) {
    throw new SimulatedError(400, "'$.input' is invalid. Please check the API reference.", undefined, 'input')
  }
  const dimensions = toDimensions(model, body.dimensions)
  let tokens = 0
  const data = inputs.map((input, index) => {
    // Token ids count as what they are: one token each.
    tokens += typeof input === 'string' ? countTokens(input) : input.length
    const vector = toVector(typeof input === 'string' ? input : input.join(' '), dimensions)
    const embedding = body.encoding_format === 'base64' ? toBase64(vector) : [...vector]
    return { object: 'embedding', index, embedding }
  })
  const usage = { prompt_tokens: tokens, total_tokens: tokens }
  return jsonReply(
    { object: 'list', data, model, ...(call.faults['no-usage'] ? {} : { usage }) },
    { inputTokens: tokens, outputTokens: 0 },
  )
}

export function answerEmbedContent(call: Call): SimulatedReply {
  const { values, tokens } = embed(call.body, call.model)
  return jsonReply(
    { embedding: { values }, ...usageOf(call, tokens) },
    { inputTokens: tokens, outputTokens: 0 },
  )
}

export function answerBatchEmbedContents(call: Call): SimulatedReply {
  const all = toList(call.body.requests).map((request) => embed(toObject(request), call.model))
  const tokens = all.reduce((sum, { tokens }) => sum + tokens, 0)
  return jsonReply(
    { embeddings: all.map(({ values }) => ({ values })), ...usageOf(call, tokens) },
    { inputTokens: tokens, outputTokens: 0 },
  )
}

function embed(request: unknown, model: string): { values: number[]; tokens: number } {
  const { content, outputDimensionality } = toObject(request)
  const text = toList(toObject(content).parts)
    .map((part) => toText(toObject(part).text))
    .join('\n')
  if (text === '') throw new SimulatedError(400, '* EmbedContentRequest.content: content is empty\n')
  return {
    values: [...toVector(text, toDimensions(model, outputDimensionality))],
    tokens: countTokens(text),
  }
}

function usageOf(call: Call, tokens: number): object {
  return call.faults['no-usage']
    ? {}
    : { usageMetadata: { promptTokenCount: tokens, totalTokenCount: tokens } }
}

function toDimensions(model: string, asked: unknown): number {
  const wanted = toNumber(asked) ?? DIMENSIONS[toPlainModel(model)] ?? 256
  return Math.max(1, Math.min(Math.floor(wanted), DIMENSIONS_MAX))
}

/** A text, texts, the token ids of one text, or of several. */
function readInputs(input: unknown): (string | number[])[] {
  if (typeof input === 'string') return [input]
  const list = toList(input)
  if (list.length > 0 && list.every((item) => typeof item === 'number')) return [list as number[]]
  return list.filter(
    (item): item is string | number[] => typeof item === 'string' || (!isObject(item) && Array.isArray(item)),
  )
}

/** Little-endian 32-bit floats, as the official clients decode them. */
function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
