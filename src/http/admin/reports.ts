import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { closing, costAllocationQuery, monthBody, replay, replayBody } from '../../contract/reports.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'

type Query = z.infer<typeof costAllocationQuery>

interface ReportFile {
  readonly fileName: string
  readonly contentType: string
  readonly body: AsyncIterable<string> | Uint8Array
}

/** Above that a file is not put into JSON: it would be in memory several times. */
const ENCODED_BYTES_MAX = 128 * 1024 * 1024

/** `/reports`: what each organization owes for a month, and closing one. */
export function registerReports(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const { statements, identityStore } = gateway

  /** People name an organization by its slug; one that is deleted by its id. */
  async function organizationIdOf(idOrSlug: string | undefined): Promise<string | undefined> {
    if (idOrSlug === undefined) return undefined
    return (await identityStore.findOrganization(idOrSlug))?.id ?? idOrSlug
  }

  app.get(
    '/reports/cost-allocation',
    {
      schema: {
        tags: ['reports'],
        description:
          'One statement per organization and month (UTC): totals, and lines by team, key, user, model, operation, task, ' +
          'deal, cycle and day. A closed one is the same bytes for ever.',
        querystring: costAllocationQuery,
      },
    },
    async (request, reply) => {
      const { query } = request
      const organizationId = await organizationIdOf(query.organizationId)
      if (query.format === 'json') {
        const json =
          organizationId === undefined
            ? await statements.page(query.month, { limit: query.limit, cursor: query.cursor })
            : await statements.json(query.month, organizationId)
        return reply.type('application/json; charset=utf-8').send(json)
      }
      return sendFile(reply, await makeFile(query, query.format, organizationId), query.encoding)
    },
  )
  app.post(
    '/reports/close',
    { schema: { tags: ['reports'], body: monthBody, response: { 200: closing } } },
    async (request) => {
      const done = await statements.close(request.body.month)
      return { ...done, totals: { ...done.totals, costNanoUsd: Number(done.totals.costNanoUsd) } }
    },
  )
  app.post(
    '/reports/replay',
    { schema: { tags: ['reports'], body: replayBody, response: { 200: replay } } },
    async (request) => {
      const { month, organizationId } = request.body
      const found = await statements.replay(month, await organizationIdOf(organizationId))
      return {
        ...found,
        different: found.different.map((one) => ({ ...one, differences: [...one.differences] })),
      }
    },
  )

  async function makeFile(
    { month, focusVersion }: Query,
    format: 'csv' | 'focus' | 'pdf',
    organizationId: string | undefined,
  ): Promise<ReportFile> {
    const name = ['cost-allocation', month, organizationId ?? 'all']
      .join('-')
      .replace(/[^A-Za-z0-9.-]+/g, '_')
    if (format === 'pdf') {
      const body = await statements.pdf(month, organizationId)
      return { fileName: `${name}.pdf`, contentType: 'application/pdf', body }
    }
    const contentType = 'text/csv; charset=utf-8; header=present'
    if (format === 'csv') {
      return { fileName: `${name}.csv`, contentType, body: await statements.csv(month, organizationId) }
    }
    const body = await statements.focus(month, organizationId, focusVersion)
    return { fileName: `${name}-focus-${focusVersion}.csv`, contentType, body }
  }
}

async function sendFile(reply: FastifyReply, file: ReportFile, encoding: Query['encoding']) {
  const { fileName, contentType, body } = file
  if (encoding === 'base64') {
    return reply.send({ fileName, contentType, base64: (await collect(body)).toString('base64') })
  }
  return reply
    .type(contentType)
    .header('content-disposition', `attachment; filename="${fileName}"`)
    .send(body instanceof Uint8Array ? Buffer.from(body) : Readable.from(body, { objectMode: false }))
}

async function collect(body: ReportFile['body']): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const text of body) {
    const chunk = Buffer.from(text)
    bytes += chunk.length
    if (bytes > ENCODED_BYTES_MAX) {
      throw new GatewayError('invalid_request', {
        message: 'The file is too large for `encoding=base64`: read it as it is, or for one organization.',
        param: 'encoding',
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
