import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Operation } from '../contract/operation.ts'
import { toGatewayError } from '../core/errors.ts'
import { formField, parseForm } from '../routing/multipart.ts'
import type { Answerer } from './answer.ts'
import type { RouteFacts } from './read-incoming.ts'

/** One operation whose request is a form. */
interface FormRoute {
  /** After any of the prefixes. */
  readonly path: string
  readonly operation: Operation
  /** Last segment of the path at the provider, where it is not that of the operation's endpoint. */
  readonly sibling?: string
}

const FORM_ROUTES: readonly FormRoute[] = [
  { path: '/audio/transcriptions', operation: 'transcription' },
  { path: '/audio/translations', operation: 'transcription', sibling: 'translations' },
  { path: '/images/edits', operation: 'image', sibling: 'edits' },
  { path: '/images/variations', operation: 'image', sibling: 'variations' },
]

/** Uploads that name their model in a field of a form. An edit of images may be JSON as well. */
export function registerForms(app: FastifyInstance, answer: Answerer, prefixes: readonly string[]): void {
  for (const route of FORM_ROUTES) {
    for (const prefix of prefixes) {
      app.post(prefix + route.path, { config: { family: 'openai' } }, (request, reply) =>
        respond(answer, request, reply, toFacts(request, route)),
      )
    }
  }
}

function toFacts(request: FastifyRequest, { operation, sibling }: FormRoute): RouteFacts {
  const contentType = request.headers['content-type'] ?? ''
  const isJson = /^application\/json\b/i.test(contentType)
  return {
    operation,
    format: 'forward',
    forward: {
      method: 'POST',
      path: '',
      sibling,
      body: isJson ? 'json' : 'form',
      contentType: isJson ? undefined : contentType,
    },
    ...(isJson ? {} : readForm(request.body, contentType)),
  }
}

function readForm(body: unknown, contentType: string): Pick<RouteFacts, 'model' | 'stream' | 'problem'> {
  try {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
    const parts = parseForm(bytes, contentType)
    return { model: formField(bytes, parts, 'model'), stream: formField(bytes, parts, 'stream') === 'true' }
  } catch (error) {
    return { problem: toGatewayError(error) }
  }
}

/** Hands a request over to the pipeline, whatever its body is. */
export async function respond(
  answer: Answerer,
  request: FastifyRequest,
  reply: FastifyReply,
  facts: RouteFacts,
): Promise<void> {
  reply.hijack()
  await answer({
    request: request.raw,
    response: reply.raw,
    ip: request.ip,
    body: Buffer.isBuffer(request.body) ? request.body : undefined,
    arrayStream: false,
    facts,
    family: 'openai',
  })
}
