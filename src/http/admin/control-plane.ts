import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { GatewayError, toGatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import { toErrorReply } from '../error-reply.ts'
import { readCredential } from '../read-incoming.ts'
import { registerAlerts } from './alerts.ts'
import { registerHealth } from './health.ts'
import { registerKeys } from './keys.ts'
import { registerLimits } from './limits.ts'
import { registerOrganizations } from './organizations.ts'
import { registerPrices } from './prices.ts'
import { registerProviders } from './providers.ts'
import { registerReconcile } from './reconcile.ts'
import { registerReports } from './reports.ts'
import { registerRequests } from './requests.ts'
import { registerRoutes } from './routes.ts'
import { registerUsage } from './usage.ts'

/** The control API under `/api/v1`, its description at `/api/openapi.json` and a reader of that at `/docs`. */
export async function registerControlPlane(app: FastifyInstance, gateway: Gateway): Promise<void> {
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  readEmptyBodies(app)
  app.setErrorHandler((error, request, reply) => {
    const known = hasZodFastifySchemaValidationErrors(error)
      ? fromValidation(error.validation)
      : toControlError(error)
    gateway.logError(undefined, known, request.id)
    const { status, headers, body } = toErrorReply(known, 'openai', request.id)
    return reply.status(status).headers(headers).send(body)
  })

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Gatehouse control API',
        version: gateway.version,
        description:
          'Organizations, keys, usage and the rest of what is behind the gate. Times are ISO 8601 in UTC; money is in ' +
          'US dollars as decimal strings and in nano-dollars (billionths) as integers.',
      },
      components: { securitySchemes: { adminKey: { type: 'http', scheme: 'bearer' } } },
      security: [{ adminKey: [] }],
    },
    transform: jsonSchemaTransform,
  })
  app.get('/api/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.register(swaggerUi, { routePrefix: '/docs', theme: { title: 'Gatehouse control API' } })

  await app.register(
    async (scope) => {
      scope.addHook('onRequest', async (request) => requireAdmin(gateway, readCredential(request.headers)))
      registerOrganizations(scope, gateway)
      registerKeys(scope, gateway)
      registerLimits(scope, gateway)
      registerUsage(scope, gateway)
      registerReconcile(scope, gateway)
      registerRequests(scope, gateway)
      registerReports(scope, gateway)
      registerAlerts(scope, gateway)
      registerPrices(scope, gateway)
      registerProviders(scope, gateway)
      registerRoutes(scope, gateway, gateway.routes)
      registerHealth(scope, gateway, '/health')
    },
    { prefix: '/api/v1' },
  )
  await app.register(
    async (scope) => {
      scope.addHook('onRequest', async (request) => requireAdmin(gateway, readCredential(request.headers)))
      registerHealth(scope, gateway, '/llm/health')
    },
    { prefix: '/api/internal' },
  )
}

/** Clients that send the content type of JSON with every call, a DELETE without a body included, are understood. */
function readEmptyBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body, done)
  })
}

function requireAdmin(gateway: Gateway, credential: string | undefined): void {
  if (gateway.adminKey.matches(credential)) return
  throw new GatewayError('invalid_api_key', {
    message: 'The control API needs the admin key as `Authorization: Bearer …`.',
  })
}

function fromValidation(
  problems: readonly { instancePath: string; message?: string | undefined }[],
): GatewayError {
  const [first] = problems
  const param = first?.instancePath.replace(/^\//, '').replaceAll('/', '.') ?? ''
  return new GatewayError('invalid_request', {
    message: `${param === '' ? 'The request' : `\`${param}\``} is not valid: ${first?.message ?? 'unknown'}.`,
    param: param === '' ? undefined : param,
  })
}

function toControlError(error: unknown): GatewayError {
  const { statusCode, message } = error as { statusCode?: number; message?: string }
  if (error instanceof GatewayError || statusCode === undefined || statusCode >= 500)
    return toGatewayError(error)
  return new GatewayError(statusCode === 413 ? 'request_too_large' : 'invalid_request', {
    message: message ?? 'The request is not valid.',
    cause: error,
  })
}
