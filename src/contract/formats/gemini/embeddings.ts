import type { UnmappedField } from '../../chat.ts'
import type { EmbeddingFormat, EmbeddingReply, EmbeddingRequest } from '../../embeddings.ts'
import type { RequestContext } from '../../format.ts'
import { compact, type FieldReader, invalidField, readFields } from './fields.ts'
import { parseModel } from './parse-request.ts'

/** What Google takes in one batch; a bound on what one call can ask for. */
const BATCH_MAX = 1000

/** `models/{model}:embedContent`: one content, one vector. */
export const geminiEmbedFormat: EmbeddingFormat = {
  parseRequest(value, context) {
    const body = readFields(value, '')
    const unmapped: UnmappedField[] = []
    const one = parseOne(body, unmapped)
    unmapped.push(...body.rest().filter((field) => field.path !== 'model'))
    return toRequest(parseModel(body, context), [one], unmapped)
  },
  toReply(reply) {
    return { embedding: { values: reply.vectors[0] ?? [] }, ...usageOf(reply) }
  },
}

/** `models/{model}:batchEmbedContents`, which @google/genai always uses. */
export const geminiBatchEmbedFormat: EmbeddingFormat = {
  parseRequest: parseBatch,
  toReply(reply) {
    return { embeddings: reply.vectors.map((values) => ({ values })), ...usageOf(reply) }
  },
}

/** What one embedding is made from, and how. */
interface One {
  readonly text: string
  readonly taskType: string | undefined
  readonly title: string | undefined
  readonly dimensions: number | undefined
}

function parseBatch(value: unknown, context: RequestContext): EmbeddingRequest {
  const body = readFields(value, '')
  const unmapped: UnmappedField[] = []
  const requests = body.array('requests') ?? []
  if (requests.length === 0 || requests.length > BATCH_MAX) {
    throw invalidField('requests', `has to hold 1 to ${BATCH_MAX} requests.`)
  }
  const model = parseModel(body, context)
  const all = requests.map((item, index) => {
    const request = readFields(item, `requests[${index}]`)
    const named = request.string('model')?.replace(/^models\//, '')
    if (named !== undefined && named !== model) {
      throw invalidField(request.at('model'), `has to be the model of the path, \`${model}\`.`)
    }
    const one = parseOne(request, unmapped)
    unmapped.push(...request.rest())
    return one
  })
  unmapped.push(...body.rest(), ...differences(all))
  return toRequest(model, all, unmapped)
}

/** The neutral request has one task, title and length for all of its inputs. */
function differences(all: readonly One[]): UnmappedField[] {
  const [first] = all
  return all.flatMap((one, index) => [
    ...(one.taskType === first?.taskType
      ? []
      : [{ path: `requests[${index}].taskType`, value: one.taskType }]),
    ...(one.title === first?.title ? [] : [{ path: `requests[${index}].title`, value: one.title }]),
    ...(one.dimensions === first?.dimensions
      ? []
      : [{ path: `requests[${index}].outputDimensionality`, value: one.dimensions }]),
  ])
}

function toRequest(model: string, all: readonly One[], unmapped: readonly UnmappedField[]): EmbeddingRequest {
  const [first] = all
  return compact({
    model,
    inputs: all.map((one) => one.text),
    dimensions: first?.dimensions,
    encodingFormat: 'float' as const,
    taskType: first?.taskType,
    title: first?.title,
    unmapped,
  })
}

function parseOne(request: FieldReader, unmapped: UnmappedField[]): One {
  const dimensions = request.integer('outputDimensionality')
  if (dimensions !== undefined && dimensions < 1) {
    throw invalidField(request.at('outputDimensionality'), 'has to be at least 1.')
  }
  return {
    text: parseText(request, unmapped),
    taskType: request.string('taskType'),
    title: request.string('title'),
    dimensions,
  }
}

/** The parts of one content make one vector; whatever is no text goes to `unmapped`. */
function parseText(request: FieldReader, unmapped: UnmappedField[]): string {
  const content = request.object('content')
  if (content === undefined) throw invalidField(request.at('content'), 'is missing.')
  content.value('role')
  const path = content.at('parts')
  const texts = (content.array('parts') ?? []).flatMap((item, index) => {
    const part = readFields(item, `${path}[${index}]`)
    const text = part.string('text')
    unmapped.push(...part.rest())
    return text === undefined ? [] : [text]
  })
  unmapped.push(...content.rest())
  return texts.join('\n')
}

function usageOf(reply: EmbeddingReply): { usageMetadata?: unknown } {
  const { inputTokens } = reply.usage
  if (inputTokens === undefined) return {}
  return { usageMetadata: { promptTokenCount: inputTokens, totalTokenCount: inputTokens } }
}
