import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { apiKey, idParams, issuedKey, newKey, pageOf, pageQuery, rotation } from '../../contract/admin.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import type { IssuedKey } from '../../identity/organizations.ts'
import type { ApiKey } from '../../identity/ports.ts'

/** `/organizations/{id}/keys` and `/keys/{id}`. */
export function registerKeys(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const { identityStore: store, organizations } = gateway

  app.post(
    '/organizations/:id/keys',
    { schema: { tags: ['keys'], params: idParams, body: newKey, response: { 201: issuedKey } } },
    async (request, reply) => {
      const { expiresAt, ...rest } = request.body
      const issued = await organizations.issueKey(request.params.id, {
        ...rest,
        expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
      })
      return reply.status(201).send(toIssued(issued))
    },
  )
  app.get(
    '/organizations/:id/keys',
    {
      schema: { tags: ['keys'], params: idParams, querystring: pageQuery, response: { 200: pageOf(apiKey) } },
    },
    async (request) => {
      const found = await store.findOrganization(request.params.id)
      if (found === undefined) throw noKey('organization', request.params.id)
      const page = await store.listKeys(found.id, request.query)
      return { data: page.data.map(toKey), nextCursor: page.nextCursor }
    },
  )
  app.get(
    '/keys/:id',
    { schema: { tags: ['keys'], params: idParams, response: { 200: apiKey } } },
    async (request) => {
      const found = await store.findKey(request.params.id)
      if (found === undefined) throw noKey('key', request.params.id)
      return toKey(found)
    },
  )
  app.post(
    '/keys/:id/rotate',
    { schema: { tags: ['keys'], params: idParams, body: rotation.nullish(), response: { 201: issuedKey } } },
    async (request, reply) => {
      const graceSeconds = request.body?.graceSeconds ?? 0
      return reply.status(201).send(toIssued(await organizations.rotateKey(request.params.id, graceSeconds)))
    },
  )
  app.delete(
    '/keys/:id',
    { schema: { tags: ['keys'], params: idParams, response: { 204: z.null() } } },
    async (request, reply) => {
      await organizations.revokeKey(request.params.id)
      return reply.status(204).send(null)
    },
  )
}

function noKey(what: string, id: string): GatewayError {
  return new GatewayError('not_found', { message: `There is no ${what} \`${id}\`.` })
}

/** What may be shown of a key: never its hash. */
function toKey(key: ApiKey) {
  const { id, organizationId, teamId, name, prefix, user, models, scopes, ipAllow } = key
  return {
    id,
    organizationId,
    teamId,
    name,
    prefix,
    user,
    models: models === null ? null : [...models],
    scopes: [...scopes],
    ipAllow: ipAllow === null ? null : [...ipAllow],
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
    createdAt: key.createdAt.toISOString(),
  }
}

function toIssued({ record, key }: IssuedKey) {
  return { ...toKey(record), key }
}
