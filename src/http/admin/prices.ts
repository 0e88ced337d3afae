import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { idParams } from '../../contract/admin.ts'
import {
  diffQuery,
  newPrice,
  organizationPrice,
  organizationPrices,
  priceDataHistory,
  priceDiff,
  priceList,
  pricesQuery,
  priceUpdate,
  priceUpdateReport,
  removedPrice,
} from '../../contract/prices.ts'
import { GatewayError } from '../../core/errors.ts'
import { BUNDLED_MODELS } from '../../core/model-data.ts'
import type { Gateway } from '../../gateway.ts'
import {
  type PartChange,
  type PricePart,
  partsOf,
  percentOf,
  picoToUsd,
  sourceOf,
} from '../../ledger/price-desk/parts.ts'
import type { PriceOverride } from '../../ledger/price-desk/ports.ts'
import type { PriceRow } from '../../ledger/price-desk/report.ts'
import type { ListPrice } from '../../ledger/price-rates.ts'
import type { ResolvedPrice } from '../../ledger/prices.ts'
import { organizationIdOf } from './organization-id.ts'

/** `/prices` and what organizations have of their own. */
export function registerPrices(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const { prices } = gateway
  const tags = ['prices']

  async function requireOrganization(idOrSlug: string): Promise<string> {
    const found = await gateway.identityStore.findOrganization(idOrSlug)
    if (found !== undefined) return found.id
    throw new GatewayError('not_found', { message: `There is no organization \`${idOrSlug}\`.` })
  }

  app.get(
    '/organizations/:id/prices',
    { schema: { tags, params: idParams, response: { 200: organizationPrices } } },
    async (request) => {
      const history = await prices.overridesOf(await requireOrganization(request.params.id))
      const rows = toOrganizationPrices(history, gateway.clock.now())
      return { data: rows.filter(({ state, removed }) => state !== 'past' && !removed), history: rows }
    },
  )
  app.put(
    '/organizations/:id/prices',
    { schema: { tags, params: idParams, body: newPrice, response: { 200: organizationPrice } } },
    async (request) => {
      const { target, validFrom, ...parts } = request.body
      const id = await requireOrganization(request.params.id)
      const list: ListPrice = Object.fromEntries(
        Object.entries(parts).flatMap(([part, value]) =>
          value === undefined ? [] : [[part, Number(value)]],
        ),
      )
      return toOrganizationPrice(await prices.put(id, target, list, toDate(validFrom)), gateway.clock.now())
    },
  )
  app.delete(
    '/organizations/:id/prices',
    { schema: { tags, params: idParams, querystring: removedPrice, response: { 200: organizationPrice } } },
    async (request) => {
      const { target, validFrom } = request.query
      const id = await requireOrganization(request.params.id)
      return toOrganizationPrice(await prices.remove(id, target, toDate(validFrom)), gateway.clock.now())
    },
  )

  app.get(
    '/prices',
    { schema: { tags, querystring: pricesQuery, response: { 200: priceList } } },
    async ({ query }) => {
      const rows = await prices.list({
        organizationId: await organizationIdOf(gateway, query.organizationId),
        provider: query.provider,
        model: query.model,
      })
      const { version, since } = prices.dataInForce()
      return {
        data: rows.map(toPriceRow),
        priceData: { version, since: since?.toISOString() ?? null },
        nextCursor: null,
      }
    },
  )
  app.get(
    '/prices/diff',
    { schema: { tags, querystring: diffQuery, response: { 200: priceDiff } } },
    async ({ query }) => {
      const rows = await prices.diff(await organizationIdOf(gateway, query.organizationId))
      return {
        data: rows.map(({ provider, model, target, organizationId, own, listed, changes }) => ({
          provider,
          model,
          target,
          organizationId: organizationId ?? null,
          version: own.version,
          listVersion: listed?.version ?? null,
          changes: changes.map(toChange),
        })),
        nextCursor: null,
      }
    },
  )
  app.post(
    '/prices/update',
    { bodyLimit: DATA_BYTES_MAX, schema: { tags, body: priceUpdate, response: { 200: priceUpdateReport } } },
    async (request) => {
      const { data, source, dryRun, force } = request.body
      const { changes, ...report } = await prices.update({
        data,
        source: data === undefined ? 'bundled' : source,
        dryRun,
        force,
      })
      return {
        ...report,
        changes: changes.map(({ from, to, changes: parts, ...change }) => ({
          ...change,
          fromVersion: from?.version ?? null,
          toVersion: to?.version ?? null,
          changes: parts.map(toChange),
        })),
      }
    },
  )
  app.get('/prices/data', { schema: { tags, response: { 200: priceDataHistory } } }, async () => ({
    data: (await prices.dataHistory()).map(({ checksum, source, validFrom, createdAt }) => ({
      version: checksum?.slice(0, 12) ?? BUNDLED_MODELS.version,
      checksum,
      source,
      validFrom: validFrom.toISOString(),
      createdAt: createdAt.toISOString(),
    })),
    nextCursor: null,
  }))
}

/** What genai-prices publishes has half a megabyte, and grows. */
const DATA_BYTES_MAX = 16 * 1024 * 1024

function toDate(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

type OrganizationPrice = z.output<typeof organizationPrice>

/** @param history newest first */
function toOrganizationPrices(history: readonly PriceOverride[], nowMs: number): OrganizationPrice[] {
  const followed = new Set<string>()
  return history.map((override) => {
    const row = toOrganizationPrice(override, nowMs)
    if (row.state === 'upcoming') return row
    if (followed.has(override.target)) return { ...row, state: 'past' }
    followed.add(override.target)
    return row
  })
}

function toOrganizationPrice(override: PriceOverride, nowMs: number): OrganizationPrice {
  const { id, organizationId, target, price, validFrom, createdAt } = override
  return {
    id,
    target,
    version: `override:${organizationId}:${id}`,
    state: validFrom.getTime() > nowMs ? 'upcoming' : 'in force',
    removed: price === null,
    validFrom: validFrom.toISOString(),
    createdAt: createdAt.toISOString(),
    prices: Object.fromEntries(
      Object.entries(price ?? {}).map(([part, usd]) => [part, picoToUsd(Number(usd) * 1e12)]),
    ),
  }
}

function toPriceRow({ provider, model, configured, price }: PriceRow) {
  const byKind = price?.units.images?.picoByKind
  return {
    provider,
    model,
    configured,
    known: price?.known ?? false,
    source: price === undefined ? ('refused' as const) : sourceOf(price.version),
    version: price?.version ?? null,
    prices: toUsd(price),
    ...(byKind === undefined ? {} : { perImageUsdByKind: mapValues(byKind, picoToUsd) }),
  }
}

function toUsd(price: ResolvedPrice | undefined): Record<string, string> {
  return price === undefined ? {} : mapValues(partsOf(price), picoToUsd)
}

function mapValues<Value>(
  record: Readonly<Partial<Record<PricePart | string, number>>>,
  map: (value: number) => Value,
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [[key, map(value)]])),
  )
}

function toChange(change: PartChange) {
  const { part, from, to } = change
  return {
    part,
    fromUsd: from === undefined ? null : picoToUsd(from),
    toUsd: to === undefined ? null : picoToUsd(to),
    percent: percentOf(change) ?? null,
  }
}
