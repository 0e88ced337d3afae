import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { usageQuery, usageRow } from '../../contract/admin.ts'
import { GatewayError } from '../../core/errors.ts'
import { nanoToUsd } from '../../core/money.ts'
import type { Gateway } from '../../gateway.ts'
import { GROUPS, type Group, type UsageRow } from '../../ledger/ports.ts'
import { organizationIdOf } from './organization-id.ts'

const ROWS_MAX = 10_000

/** `GET /usage`: what was spent, by whom, on what. */
export function registerUsage(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  app.get(
    '/usage',
    {
      schema: {
        tags: ['usage'],
        querystring: usageQuery,
        response: { 200: z.object({ data: z.array(usageRow), nextCursor: z.null() }) },
      },
    },
    async (request) => {
      const { query } = request
      const groupBy = parseGroups(query.groupBy)
      const now = new Date(gateway.clock.now())
      // Who asks sees every call that was answered here before.
      await gateway.flushLedger()
      const rows = await gateway.ledgerStore.usage({
        from: query.from === undefined ? monthStart(now) : new Date(query.from),
        to: query.to === undefined ? new Date(now.getTime() + 1) : new Date(query.to),
        organizationId: await organizationIdOf(gateway, query.organizationId),
        groupBy,
        interval: query.interval,
        rowsMax: ROWS_MAX,
      })
      return { data: rows.map((row) => toUsageRow(row, groupBy)), nextCursor: null }
    },
  )
}

/** @throws GatewayError `invalid_request` */
function parseGroups(text: string | undefined): Group[] {
  if (text === undefined || text === '') return []
  return [...new Set(text.split(',').map((part) => part.trim()))].map((name) => {
    if (/^tag:[A-Za-z0-9_.-]{1,64}$/.test(name)) return name as Group
    const known = GROUPS.find((group) => group === name)
    if (known !== undefined) return known
    throw new GatewayError('invalid_request', {
      message: `Usage cannot be grouped by \`${name.slice(0, 64)}\`. Known: ${GROUPS.join(', ')}, tag:NAME.`,
      param: 'groupBy',
    })
  })
}

function monthStart(now: Date): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1))
}

function toUsageRow(row: UsageRow, groupBy: readonly Group[]) {
  const { groups, periodStart, ...sums } = row
  return {
    ...Object.fromEntries(groupBy.map((name, index) => [name, groups[index] ?? null])),
    ...(periodStart === undefined ? {} : { periodStart: periodStart.toISOString() }),
    ...sums,
    costUsd: nanoToUsd(row.costNanoUsd),
  }
}
