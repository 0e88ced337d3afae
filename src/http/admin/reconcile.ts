import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { reconcileBody, reconciliation } from '../../contract/reconciliation.ts'
import { GatewayError } from '../../core/errors.ts'
import { nanoToUsd } from '../../core/money.ts'
import type { Gateway } from '../../gateway.ts'
import type { MeterRow, ReconcileReport } from '../../limits/reconcile/report.ts'
import { organizationIdOf } from './organization-id.ts'

/** `/usage/reconcile`: whether counters and sums are what the ledger says, and what was done about it. */
export function registerReconcile(scope: FastifyInstance, gateway: Gateway): void {
  const { reconciler } = gateway
  const app = scope.withTypeProvider<ZodTypeProvider>()
  app.post(
    '/usage/reconcile',
    { schema: { tags: ['usage'], body: reconcileBody, response: { 200: reconciliation } } },
    async (request, reply) => {
      const { organizationId, repair } = request.body
      // Who leaves does not want it any more; what was put right stays so.
      const left = new AbortController()
      reply.raw.once('close', () => left.abort())
      const report = await reconciler.reconcile({
        organizationId: await organizationIdOf(gateway, organizationId),
        repair,
        signal: left.signal,
      })
      return toReconciliation(report)
    },
  )
  app.get(
    '/usage/reconcile',
    { schema: { tags: ['usage'], response: { 200: reconciliation } } },
    async () => {
      const { last } = reconciler
      if (last !== undefined) return toReconciliation(last)
      throw new GatewayError('not_found', {
        message:
          'Nothing has been reconciled since this gateway started. `POST` to the same path does it now.',
      })
    },
  )
}

function toReconciliation(report: ReconcileReport): z.infer<typeof reconciliation> {
  const { totals } = report
  return {
    ...report,
    totals: {
      ...totals,
      ledgerUsd: nanoToUsd(totals.ledgerNanoUsd),
      differenceUsd: nanoToUsd(totals.differenceNanoUsd),
    },
    meters: report.meters.map(toMeter),
    rollups: [...report.rollups],
    spend: [...report.spend],
    holds: [...report.holds],
  }
}

function toMeter(row: MeterRow) {
  return {
    ...row,
    ledgerUsd: nanoToUsd(row.ledgerNanoUsd),
    counterUsd: nanoToUsd(row.counterNanoUsd),
    heldUsd: nanoToUsd(row.heldNanoUsd),
    differenceUsd: nanoToUsd(row.differenceNanoUsd),
  }
}
