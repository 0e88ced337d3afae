import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Operation } from '../contract/operation.ts'
import { GatewayError } from '../core/errors.ts'
import type { CallFormat } from '../pipeline/exchange.ts'
import type { Answerer } from './answer.ts'
import type { ErrorFamily } from './error-reply.ts'
import type { LaneRoute } from './express-lane.ts'
import { registerFiles } from './file-routes.ts'
import { registerForms } from './forward-routes.ts'
import type { RouteFacts } from './read-incoming.ts'

/** One route of the data plane whose request is a JSON body. */
interface JsonRoute {
  /** After any of the prefixes. */
  readonly path: string
  readonly operation: Operation
  readonly format: CallFormat
  /** For callers that name none. */
  readonly modelDefault?: string
}

const OPENAI_ROUTES: readonly JsonRoute[] = [
  { path: '/chat/completions', operation: 'chat', format: 'chat' },
  { path: '/responses', operation: 'chat', format: 'responses' },
  { path: '/completions', operation: 'completion', format: 'completions' },
  { path: '/embeddings', operation: 'embedding', format: 'embeddings' },
  // OpenAI's own default (`ModerationCreateParams.model` of the `openai` package, version 7).
  {
    path: '/moderations',
    operation: 'moderation',
    format: 'forward',
    modelDefault: 'omni-moderation-latest',
  },
  { path: '/rerank', operation: 'rerank', format: 'forward' },
  { path: '/images/generations', operation: 'image', format: 'forward' },
  { path: '/audio/speech', operation: 'speech', format: 'forward' },
]
const ANTHROPIC_ROUTES: readonly JsonRoute[] = [
  { path: '/messages', operation: 'chat', format: 'messages' },
  { path: '/messages/count_tokens', operation: 'token-count', format: 'messages' },
]

// Clients differ in what they take for the base URL, so each of these works: with and without the version, with
// it twice, and behind the name of the format.
const OPENAI_PREFIXES = ['/v1', '', '/v1/v1', '/openai/v1', '/openai']
const ANTHROPIC_PREFIXES = ['/v1', '', '/v1/v1', '/anthropic/v1', '/anthropic']
const GEMINI_PREFIXES = ['/v1beta', '/v1', '/v1/v1beta', '/gemini/v1beta', '/gemini']

/** The fixed paths that take a JSON body, and what each means. */
export function jsonRoutes(): Map<string, LaneRoute> {
  const byPath = new Map<string, LaneRoute>()
  const add = (prefixes: readonly string[], routes: readonly JsonRoute[], family: ErrorFamily) => {
    for (const { path, operation, format, modelDefault } of routes) {
      const route: LaneRoute = { facts: { operation, format, modelDefault }, family }
      for (const prefix of prefixes) byPath.set(prefix + path, route)
    }
  }
  add(OPENAI_PREFIXES, OPENAI_ROUTES, 'openai')
  add(ANTHROPIC_PREFIXES, ANTHROPIC_ROUTES, 'anthropic')
  return byPath
}

/** Every route that applications call, each in the wire format of its clients. */
export function registerDataPlane(app: FastifyInstance, answer: Answerer): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  registerJson(app, answer)
  registerForms(app, answer, OPENAI_PREFIXES)
  registerFiles(app, answer, OPENAI_PREFIXES)
  registerAzure(app, answer)
  registerGemini(app, answer)
}

function registerJson(app: FastifyInstance, answer: Answerer): void {
  for (const [path, { facts, family }] of jsonRoutes()) {
    app.post(path, { config: { family } }, (request, reply) => respond(answer, request, reply, facts, family))
  }
}

/** The path of Azure's own client: the deployment stands for the model. */
function registerAzure(app: FastifyInstance, answer: Answerer): void {
  const routes: readonly JsonRoute[] = OPENAI_ROUTES.filter(
    ({ format }) => format === 'chat' || format === 'embeddings',
  )
  for (const { path, operation, format } of routes) {
    app.post<{ Params: { deployment: string } }>(
      `/openai/deployments/:deployment${path}`,
      { config: { family: 'openai' } },
      (request, reply) =>
        respond(answer, request, reply, { operation, format, model: request.params.deployment }, 'openai'),
    )
  }
}

/**
 * `models/{model}:{method}`, where the model's name may hold slashes of its own. Vercel's AI SDK takes a name with a
 * slash for a whole resource path and leaves `models/` out (`getModelPath` in @ai-sdk/google 3.0.141).
 */
function registerGemini(app: FastifyInstance, answer: Answerer): void {
  const paths = GEMINI_PREFIXES.flatMap((prefix) =>
    prefix.endsWith('/v1beta') ? [`${prefix}/models/*`, `${prefix}/*`] : [`${prefix}/models/*`],
  )
  for (const path of paths) {
    app.post<{ Params: { '*': string } }>(path, { config: { family: 'gemini' } }, (request, reply) => {
      const rest = request.params['*']
      const colon = rest.lastIndexOf(':')
      const facts = colon < 0 ? undefined : geminiFacts(rest.slice(0, colon), rest.slice(colon + 1))
      if (facts === undefined) throw noMethod(rest.slice(colon + 1))
      return respond(answer, request, reply, facts, 'gemini')
    })
  }
}

function noMethod(name: string): GatewayError {
  return new GatewayError('not_found', {
    message:
      `There is no method \`${name.slice(0, 64)}\` of a model. Known: generateContent, streamGenerateContent, ` +
      'countTokens, embedContent, batchEmbedContents.',
  })
}

function geminiFacts(model: string, method: string): RouteFacts | undefined {
  switch (method) {
    case 'generateContent':
      return { operation: 'chat', format: 'gemini', model, stream: false }
    case 'streamGenerateContent':
      return { operation: 'chat', format: 'gemini', model, stream: true }
    case 'countTokens':
      return { operation: 'token-count', format: 'gemini', model, stream: false }
    case 'embedContent':
    case 'batchEmbedContents':
      return { operation: 'embedding', format: 'gemini-embeddings', model, stream: false }
    default:
      return undefined
  }
}

async function respond(
  answer: Answerer,
  request: FastifyRequest,
  reply: FastifyReply,
  facts: RouteFacts,
  family: ErrorFamily,
): Promise<void> {
  reply.hijack()
  await answer({
    request: request.raw,
    response: reply.raw,
    ip: request.ip,
    body: Buffer.isBuffer(request.body) ? request.body : undefined,
    // Gemini streams as one JSON array unless asked for events.
    arrayStream: facts.format === 'gemini' && facts.stream === true && !hasSseQuery(request.url),
    facts,
    family,
  })
}

function hasSseQuery(url: string): boolean {
  return /[?&]alt=sse(&|$)/.test(url)
}
