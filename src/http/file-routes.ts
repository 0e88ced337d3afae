import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GatewayError } from '../core/errors.ts'
import type { Forward, ResourceRequest } from '../pipeline/exchange.ts'
import type { Answerer } from './answer.ts'
import { respond } from './forward-routes.ts'
import type { RouteFacts } from './read-incoming.ts'

/** One route of files or batches. */
interface ResourceRoute {
  readonly operation: 'file' | 'batch'
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** After any of the prefixes. */
  readonly path: string
  readonly action: ResourceRequest['action']
  readonly body: Forward['body']
}

const ROUTES: readonly ResourceRoute[] = [
  { operation: 'file', method: 'POST', path: '/files', action: 'create', body: 'form' },
  { operation: 'file', method: 'GET', path: '/files', action: 'list', body: 'none' },
  { operation: 'file', method: 'GET', path: '/files/:id', action: 'read', body: 'none' },
  { operation: 'file', method: 'GET', path: '/files/:id/content', action: 'content', body: 'none' },
  { operation: 'file', method: 'DELETE', path: '/files/:id', action: 'remove', body: 'none' },
  { operation: 'batch', method: 'POST', path: '/batches', action: 'create', body: 'json' },
  { operation: 'batch', method: 'GET', path: '/batches', action: 'list', body: 'none' },
  { operation: 'batch', method: 'GET', path: '/batches/:id', action: 'read', body: 'none' },
  { operation: 'batch', method: 'POST', path: '/batches/:id/cancel', action: 'cancel', body: 'none' },
]

/** Files and batches, in OpenAI's shape: each organization sees its own. */
export function registerFiles(app: FastifyInstance, answer: Answerer, prefixes: readonly string[]): void {
  for (const route of ROUTES) {
    for (const prefix of prefixes) {
      app.route<{ Params: { id?: string } }>({
        method: route.method,
        url: prefix + route.path,
        config: { family: 'openai' },
        handler: (request, reply) =>
          respond(answer, request, reply, toFacts(request, route, request.params.id ?? '')),
      })
    }
  }
}

function toFacts(request: FastifyRequest, route: ResourceRoute, id: string): RouteFacts {
  const { operation, method, action, body } = route
  const suffix = action === 'content' || action === 'cancel' ? `/${action}` : ''
  return {
    operation,
    format: 'forward',
    model: '',
    stream: false,
    forward: {
      method,
      path: id === '' ? '' : `/${encodeURIComponent(id)}${suffix}`,
      body,
      contentType: body === 'form' ? request.headers['content-type'] : undefined,
      resource: {
        action,
        id,
        provider: firstValue(request.headers['x-gatehouse-provider']),
        query: readQuery(request.query),
      },
    },
    problem: body === 'form' ? missingForm(request) : undefined,
  }
}

function missingForm({ headers, body }: FastifyRequest): GatewayError | undefined {
  const isForm = /^multipart\/form-data\b/i.test(headers['content-type'] ?? '')
  if (isForm && Buffer.isBuffer(body)) return undefined
  return new GatewayError('invalid_request', {
    message: 'The body has to be a form (`multipart/form-data`) with the fields `file` and `purpose`.',
    param: 'file',
  })
}

function firstValue(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header : undefined
}

function readQuery(query: unknown): Readonly<Record<string, string>> {
  if (typeof query !== 'object' || query === null) return {}
  return Object.fromEntries(
    Object.entries(query).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
