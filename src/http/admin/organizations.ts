import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  idParams,
  newOrganization,
  newTeam,
  organization,
  organizationChange,
  pageOf,
  pageQuery,
  team,
} from '../../contract/admin.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import type { Organization, Team } from '../../identity/ports.ts'

/** `/organizations` and their teams. */
export function registerOrganizations(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const { identityStore: store, organizations } = gateway

  async function organizationOf(idOrSlug: string): Promise<Organization> {
    return (await store.findOrganization(idOrSlug)) ?? missing('organization', idOrSlug)
  }

  app.post(
    '/organizations',
    { schema: { tags: ['organizations'], body: newOrganization, response: { 201: organization } } },
    async (request, reply) =>
      reply.status(201).send(toOrganization(await organizations.create(request.body))),
  )
  app.get(
    '/organizations',
    { schema: { tags: ['organizations'], querystring: pageQuery, response: { 200: pageOf(organization) } } },
    async (request) => {
      const page = await store.listOrganizations(request.query)
      return { data: page.data.map(toOrganization), nextCursor: page.nextCursor }
    },
  )
  app.get(
    '/organizations/:id',
    { schema: { tags: ['organizations'], params: idParams, response: { 200: organization } } },
    async (request) => toOrganization(await organizationOf(request.params.id)),
  )
  app.patch(
    '/organizations/:id',
    {
      schema: {
        tags: ['organizations'],
        params: idParams,
        body: organizationChange,
        response: { 200: organization },
      },
    },
    async (request) => {
      const { id } = await organizationOf(request.params.id)
      const { name, slug } = request.body
      const changed = await store.updateOrganization(id, {
        ...(name === undefined ? {} : { name }),
        ...(slug === undefined ? {} : { slug }),
      })
      return toOrganization(changed ?? missing('organization', id))
    },
  )
  app.delete(
    '/organizations/:id',
    { schema: { tags: ['organizations'], params: idParams, response: { 204: z.null() } } },
    async (request, reply) => {
      await organizations.remove(request.params.id)
      return reply.status(204).send(null)
    },
  )

  const teamParams = z.object({ id: z.string(), teamId: z.string() })
  app.post(
    '/organizations/:id/teams',
    { schema: { tags: ['teams'], params: idParams, body: newTeam, response: { 201: team } } },
    async (request, reply) =>
      reply.status(201).send(toTeam(await organizations.createTeam(request.params.id, request.body.name))),
  )
  app.get(
    '/organizations/:id/teams',
    {
      schema: { tags: ['teams'], params: idParams, querystring: pageQuery, response: { 200: pageOf(team) } },
    },
    async (request) => {
      const { id } = await organizationOf(request.params.id)
      const page = await store.listTeams(id, request.query)
      return { data: page.data.map(toTeam), nextCursor: page.nextCursor }
    },
  )
  app.get(
    '/organizations/:id/teams/:teamId',
    { schema: { tags: ['teams'], params: teamParams, response: { 200: team } } },
    async (request) => {
      const { id } = await organizationOf(request.params.id)
      return toTeam(
        (await store.findTeam(id, request.params.teamId)) ?? missing('team', request.params.teamId),
      )
    },
  )
  app.patch(
    '/organizations/:id/teams/:teamId',
    { schema: { tags: ['teams'], params: teamParams, body: newTeam, response: { 200: team } } },
    async (request) => {
      const { id } = await organizationOf(request.params.id)
      const { teamId } = request.params
      return toTeam((await store.updateTeam(id, teamId, request.body)) ?? missing('team', teamId))
    },
  )
  app.delete(
    '/organizations/:id/teams/:teamId',
    { schema: { tags: ['teams'], params: teamParams, response: { 204: z.null() } } },
    async (request, reply) => {
      const { id } = await organizationOf(request.params.id)
      const { teamId } = request.params
      if (!(await store.deleteTeam(id, teamId))) missing('team', teamId)
      return reply.status(204).send(null)
    },
  )
}

function missing(what: string, id: string): never {
  throw new GatewayError('not_found', { message: `There is no ${what} \`${id}\`.` })
}

function toOrganization({ id, name, slug, createdAt }: Organization) {
  return { id, name, slug, createdAt: createdAt.toISOString() }
}

function toTeam({ id, organizationId, name, createdAt }: Team) {
  return { id, organizationId, name, createdAt: createdAt.toISOString() }
}
