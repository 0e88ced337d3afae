import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { idParams, pageOf, requestDetail, requestQuery, requestSummary } from '../../contract/admin.ts'
import { GatewayError } from '../../core/errors.ts'
import { nanoToUsd } from '../../core/money.ts'
import type { Gateway } from '../../gateway.ts'
import type { LedgerRow } from '../../ledger/ports.ts'
import { readWaterfall } from '../../ledger/waterfall.ts'
import { organizationIdOf } from './organization-id.ts'

/** `GET /requests` and one of them as a waterfall. */
export function registerRequests(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const { ledgerStore: store } = gateway

  app.get(
    '/requests',
    { schema: { tags: ['requests'], querystring: requestQuery, response: { 200: pageOf(requestSummary) } } },
    async (request) => {
      const { limit, cursor, user, session, from, to, organizationId, ...filter } = request.query
      await gateway.flushLedger()
      const page = await store.listRequests(
        {
          ...filter,
          organizationId: await organizationIdOf(gateway, organizationId),
          userId: user,
          sessionId: session,
          from: from === undefined ? undefined : new Date(from),
          to: to === undefined ? undefined : new Date(to),
        },
        { limit, cursor },
      )
      return { data: page.data.map((row) => toSummary(row, [row])), nextCursor: page.nextCursor }
    },
  )
  app.get(
    '/requests/:id',
    { schema: { tags: ['requests'], params: idParams, response: { 200: requestDetail } } },
    async (request) => {
      await gateway.flushLedger()
      const rows = await store.findRequest(request.params.id)
      const last = rows.at(-1)
      if (last === undefined) {
        throw new GatewayError('not_found', { message: `There is no request \`${request.params.id}\`.` })
      }
      const waterfall = readWaterfall(rows)
      return {
        ...toSummary(last, rows),
        stages: waterfall?.stages ?? [],
        attempts: rows.filter((row) => row.provider !== null).map((row) => toAttempt(row, waterfall)),
        waterfall,
      }
    },
  )
}

function toSummary(last: LedgerRow, rows: readonly LedgerRow[]) {
  const costNanoUsd = rows.reduce((sum, row) => sum + row.costNanoUsd, 0)
  return {
    id: last.requestId,
    organizationId: last.organizationId,
    teamId: last.teamId,
    keyId: last.keyId,
    user: last.userId,
    session: last.sessionId,
    tags: { ...last.tags },
    operation: last.operation,
    task: last.task,
    format: last.format,
    stream: last.stream,
    requestedModel: last.requestedModel,
    provider: last.provider,
    model: last.model,
    status: last.status,
    errorCode: last.errorCode,
    cache: last.cache,
    attemptCount: last.attempt,
    tokensInput: last.tokensInput,
    tokensOutput: last.tokensOutput,
    costUsd: nanoToUsd(costNanoUsd),
    costNanoUsd,
    estimated: rows.some((row) => row.estimated),
    latencyMs: last.latencyMs,
    firstTokenMs: last.firstTokenMs,
    overheadMs: last.overheadMs,
    createdAt: last.createdAt.toISOString(),
  }
}

function toAttempt(row: LedgerRow, waterfall: ReturnType<typeof readWaterfall>) {
  const story = waterfall?.attempts.find((attempt) => attempt.number === row.attempt)
  return {
    id: row.id,
    number: row.attempt,
    provider: row.provider,
    model: row.model,
    status: story?.status ?? row.status,
    errorCode: row.errorCode,
    tokensInput: row.tokensInput,
    tokensOutput: row.tokensOutput,
    tokensCached: row.tokensCached,
    tokensCacheWrite: row.tokensCacheWrite,
    tokensReasoning: row.tokensReasoning,
    costUsd: nanoToUsd(row.costNanoUsd),
    costNanoUsd: row.costNanoUsd,
    priceVersion: row.priceVersion,
    estimated: row.estimated,
    latencyMs: row.latencyMs,
    reason: story?.reason ?? null,
    errorMessage: story?.errorMessage ?? null,
  }
}
