import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Alert, Delivery } from '../../alerts/ports.ts'
import { idParams, pageOf } from '../../contract/admin.ts'
import {
  alert,
  alertChannels,
  alertDetail,
  alertQuery,
  alertRemark,
  alertTest,
  alertTestResults,
} from '../../contract/alerts.ts'
import type { Gateway } from '../../gateway.ts'
import { organizationIdOf } from './organization-id.ts'

/** Whoever holds the admin key. */
const ADMIN = 'admin'

/** `/alerts`: what people should know, what became of it, and whether the channels work. */
export function registerAlerts(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const { alerts } = gateway

  app.get(
    '/alerts',
    { schema: { tags: ['alerts'], querystring: alertQuery, response: { 200: pageOf(alert) } } },
    async (request) => {
      const { limit, cursor, status, kind, severity } = request.query
      const organizationId = await organizationIdOf(gateway, request.query.organizationId)
      const page = await alerts.list({ status, kind, severity, organizationId }, { limit, cursor })
      return { data: page.data.map(toAlert), nextCursor: page.nextCursor }
    },
  )
  app.get(
    '/alerts/channels',
    { schema: { tags: ['alerts'], response: { 200: alertChannels } } },
    async () => ({
      data: [...alerts.channels()],
    }),
  )
  app.post(
    '/alerts/test',
    { schema: { tags: ['alerts'], body: alertTest.nullish(), response: { 200: alertTestResults } } },
    async (request) => ({ data: [...(await alerts.test(request.body?.channel))] }),
  )
  app.get(
    '/alerts/:id',
    { schema: { tags: ['alerts'], params: idParams, response: { 200: alertDetail } } },
    async (request) => {
      const found = await alerts.find(request.params.id)
      return { ...toAlert(found.alert), deliveries: found.deliveries.map(toDelivery) }
    },
  )
  app.post(
    '/alerts/:id/acknowledge',
    { schema: { tags: ['alerts'], params: idParams, body: alertRemark.nullish(), response: { 200: alert } } },
    async (request) =>
      toAlert(await alerts.acknowledge(request.params.id, { by: ADMIN, note: request.body?.note })),
  )
  app.post(
    '/alerts/:id/resolve',
    { schema: { tags: ['alerts'], params: idParams, body: alertRemark.nullish(), response: { 200: alert } } },
    async (request) =>
      toAlert(await alerts.resolve(request.params.id, { by: ADMIN, note: request.body?.note })),
  )
}

function toAlert(found: Alert) {
  return {
    id: found.id,
    kind: found.kind,
    severity: found.severity,
    status: found.status,
    organizationId: found.organizationId,
    dedupeKey: found.dedupeKey,
    title: found.title,
    detail: { ...found.detail },
    raisedAt: found.raisedAt.toISOString(),
    endsAt: found.endsAt?.toISOString() ?? null,
    acknowledgedAt: found.acknowledgedAt?.toISOString() ?? null,
    acknowledgedBy: found.acknowledgedBy,
    resolvedAt: found.resolvedAt?.toISOString() ?? null,
    resolvedBy: found.resolvedBy,
    notes: [...found.notes],
  }
}

function toDelivery({ moment, channel, attempts, nextAttemptAt, deliveredAt, lastError }: Delivery) {
  const status =
    deliveredAt !== null
      ? ('delivered' as const)
      : nextAttemptAt === null
        ? ('failed' as const)
        : ('waiting' as const)
  return {
    event: moment,
    channel,
    status,
    attempts,
    nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
    deliveredAt: deliveredAt?.toISOString() ?? null,
    lastError,
  }
}
