import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { routeSchema } from '../../config/schema/models.ts'
import { MODEL_NAME, MODEL_NAME_RULE } from '../../config/schema/text.ts'
import { idParams } from '../../contract/admin.ts'
import { organizationRoute, organizationRouteList, routeList, routesQuery } from '../../contract/routes.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import type { RouteInForce } from '../../routing/resolve.ts'
import { toNames } from '../../routing/strategy/capabilities.ts'
import type { OrganizationRoute } from '../../routing/strategy/organization-routes.ts'
import type { RouteDesk } from '../../routing/strategy/route-desk.ts'
import type { RouteSettings } from '../../routing/strategy/route-settings.ts'
import { organizationIdOf } from './organization-id.ts'

const nameParams = idParams.extend({
  name: z
    .string()
    .regex(MODEL_NAME, MODEL_NAME_RULE)
    .refine((name) => name !== 'auto', 'is reserved: `auto` means that the task picks the model'),
})

/** `GET /routes`, and what organizations have of their own. */
export function registerRoutes(scope: FastifyInstance, gateway: Gateway, desk: RouteDesk): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const tags = ['routes']
  const url = '/organizations/:id/routes'

  app.get(
    '/routes',
    { schema: { tags, querystring: routesQuery, response: { 200: routeList } } },
    async ({ query }) => {
      const organizationId = await organizationIdOf(gateway, query.organizationId)
      return { data: desk.inForce(organizationId).map((route) => toRow(desk, route)), nextCursor: null }
    },
  )

  app.get(
    url,
    { schema: { tags, params: idParams, response: { 200: organizationRouteList } } },
    async ({ params }) => {
      const id = await requireOrganization(gateway, params.id)
      return { data: desk.own.list(id).map((route) => toReply(id, route)), nextCursor: null }
    },
  )
  app.get(
    `${url}/:name`,
    { schema: { tags, params: nameParams, response: { 200: organizationRoute } } },
    async ({ params }) => {
      const id = await requireOrganization(gateway, params.id)
      return toReply(id, desk.own.find(id, params.name) ?? missing(params.name))
    },
  )
  app.put(
    `${url}/:name`,
    { schema: { tags, params: nameParams, body: routeSchema, response: { 200: organizationRoute } } },
    async ({ params, body }) => {
      const id = await requireOrganization(gateway, params.id)
      requireProviders(body, desk.providers())
      return toReply(id, await desk.own.put(id, params.name, body))
    },
  )
  app.delete(
    `${url}/:name`,
    { schema: { tags, params: nameParams, response: { 204: z.null() } } },
    async ({ params }, reply) => {
      const id = await requireOrganization(gateway, params.id)
      await desk.own.remove(id, params.name)
      return reply.status(204).send(null)
    },
  )
}

async function requireOrganization(gateway: Gateway, idOrSlug: string): Promise<string> {
  const found = await organizationIdOf(gateway, idOrSlug)
  if (found === undefined) throw new Error('Whoever is named is found, or an error says so.')
  return found
}

function missing(name: string): never {
  throw new GatewayError('not_found', { message: `This organization has no route \`${name}\` of its own.` })
}

/** @throws GatewayError `invalid_request` that names the first provider that is not configured */
function requireProviders({ targets, shadow }: RouteSettings, known: readonly string[]): void {
  const named = targets.map(({ provider }, index): [string, string] => [
    provider,
    `targets.${index}.provider`,
  ])
  if (shadow !== undefined) named.push([shadow.provider, 'shadow.provider'])
  const unknown = named.find(([provider]) => !known.includes(provider))
  if (unknown === undefined) return
  const [provider, param] = unknown
  throw new GatewayError('invalid_request', {
    message: `There is no provider \`${provider}\`. Known: ${known.map((name) => `\`${name}\``).join(', ')}.`,
    param,
  })
}

function toReply(organizationId: string, { name, settings, updatedAt }: OrganizationRoute) {
  return {
    organizationId,
    name,
    ...toSettings(settings),
    targets: settings.targets.map(({ provider, model, weight, tier, contextTokens, lacks }) => ({
      provider,
      model,
      weight,
      tier: tier ?? null,
      contextTokens: contextTokens ?? null,
      lacks: [...(lacks ?? [])],
    })),
    cache: settings.cache,
    updatedAt: updatedAt.toISOString(),
  }
}

function toRow(desk: RouteDesk, { route, source }: RouteInForce) {
  const { name, settings, targets } = route
  const sum = targets.reduce((total, { weight }) => total + weight, 0)
  return {
    name,
    source,
    ...toSettings(settings),
    targets: targets.map(({ provider, model, key, weight, tier, contextTokens, lacks }) => {
      const pace = desk.paceOf(key)
      return {
        provider,
        model,
        weight,
        share: settings.strategy === 'weighted' && sum > 0 ? weight / sum : null,
        tier,
        contextTokens: contextTokens ?? null,
        lacks: [...toNames(lacks)],
        inFlight: pace?.inFlight ?? 0,
        ttftMs: rounded(pace?.ttftMs),
        tokensPerSecond: rounded(pace?.tokensPerSecond),
      }
    }),
  }
}

function toSettings(settings: RouteSettings) {
  const { description, strategy, affinity, fallback, afterFirstToken, retries, hedgeAfterMs } = settings
  const { timeouts = {}, shadow } = settings
  return {
    ...(description === undefined ? {} : { description }),
    strategy,
    affinity: affinity ?? null,
    fallback,
    afterFirstToken,
    retries,
    hedgeAfterMs: hedgeAfterMs ?? null,
    timeouts: {
      firstByteMs: timeouts.firstByteMs ?? null,
      firstTokenMs: timeouts.firstTokenMs ?? null,
      idleMs: timeouts.idleMs ?? null,
      totalMs: timeouts.totalMs ?? null,
    },
    shadow: shadow === undefined ? null : { ...shadow },
  }
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100
}
