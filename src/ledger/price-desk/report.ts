import type { ListPrice } from '../price-rates.ts'
import {
  createPriceBook,
  isUnknownPrice,
  type LivePrices,
  type PriceBook,
  type PriceQuery,
  type ResolvedPrice,
} from '../prices.ts'
import type { PriceDirectory } from './directory.ts'
import { changesOf, type PartChange } from './parts.ts'
import type { PriceOverride, PriceStore } from './ports.ts'

/** A provider and its name for a model. */
export interface PriceTarget {
  readonly provider: string
  readonly model: string
}

/** What prices have to know of a provider. */
export type ProviderFacts = Pick<PriceQuery, 'pricesId' | 'free' | 'listPrice'>

/** What the configuration in force says of prices. */
export interface PricesInForce {
  readonly book: PriceBook
  /** By `provider/model`. */
  readonly overrides: Readonly<Record<string, ListPrice>>
  /** Where calls may lead by its routes. */
  readonly targets: readonly PriceTarget[]
  /** Names of the configured providers. */
  readonly providers: readonly string[]
  /** @returns nothing known where no such provider is configured */
  facts(provider: string): ProviderFacts
}

export interface ReportOptions {
  readonly store: PriceStore
  readonly directory: PriceDirectory
  readonly inForce: () => PricesInForce
  /** Where calls have led lately, whatever the configuration says now. */
  readonly seen: () => Promise<readonly PriceTarget[]>
  /** Unix time in milliseconds. */
  readonly now: () => number
}

export interface PriceFilter {
  readonly organizationId?: string | undefined
  readonly provider?: string | undefined
  /** A `*` at the end stands for any ending. */
  readonly model?: string | undefined
}

/** What a target costs now. */
export interface PriceRow extends PriceTarget {
  /** A route leads there; else calls have, lately. */
  readonly configured: boolean
  /** `undefined` where calls are refused, because nobody knows it. */
  readonly price: ResolvedPrice | undefined
}

/** A price that somebody wrote, against what would be paid without it. */
export interface PriceDifference extends PriceTarget {
  /** Whose price it is; `undefined` = the configuration's, which holds for everybody. */
  readonly organizationId: string | undefined
  /** As it was written. */
  readonly target: string
  readonly own: ResolvedPrice
  /** `undefined` where nobody else knows one. */
  readonly listed: ResolvedPrice | undefined
  /** From the listed price to the own one. */
  readonly changes: readonly PartChange[]
}

export interface PriceReport {
  /** @returns what each target in use costs now, in the order of their names */
  list(filter: PriceFilter): Promise<PriceRow[]>
  /** @returns every price of the configuration and of organizations (or one) that is in force, against the list */
  diff(organizationId?: string): Promise<PriceDifference[]>
}

export function createPriceReport({ store, directory, inForce, seen, now }: ReportOptions): PriceReport {
  return {
    async list({ organizationId, provider, model }) {
      const { book, targets, facts } = inForce()
      const rows = inUse(targets, await seen())
        .filter((row) => provider === undefined || row.provider === provider)
        .filter((row) => model === undefined || isMeant(model, row.model))
      return rows.map((row) => ({
        ...row,
        price: priceOf(book, {
          organizationId,
          providerName: row.provider,
          model: row.model,
          ...facts(row.provider),
        }),
      }))
    },
    async diff(organizationId) {
      const { targets, overrides, facts, book } = inForce()
      const at = new Date(now())
      const listedBook = createListBook(directory, now)
      const queryOf = ({ provider, model }: PriceTarget): PriceQuery => ({
        providerName: provider,
        model,
        ...facts(provider),
      })
      const configured = Object.keys(overrides).flatMap((target): PriceDifference[] => {
        const one = toTarget(target)
        const own = priceOf(book, queryOf(one))
        const listed = priceOf(listedBook, queryOf(one))
        return own === undefined
          ? []
          : [{ ...one, organizationId: undefined, target, own, listed, changes: changesOf(listed, own) }]
      })
      const known = inUse(targets, await seen())
      const differences: PriceDifference[] = []
      for (const override of await overridesInForce(store, organizationId, at)) {
        for (const one of meantBy(override.target, known)) {
          const own = directory
            .overridesOf(override.organizationId)
            ?.find(one.provider, one.model, at.getTime())
          if (own === undefined) continue
          // What everybody pays, the configuration's own prices included.
          const listed = priceOf(book, queryOf(one))
          const isCeiling = listed?.known === false
          const base = isCeiling ? undefined : listed
          differences.push({
            ...one,
            organizationId: override.organizationId,
            target: override.target,
            own,
            listed: base,
            changes: changesOf(base, own),
          })
        }
      }
      return organizationId === undefined ? [...configured, ...differences] : differences
    },
  }
}

/** @returns prices as the data has them, without anybody's own */
export function createListBook(
  live: Pick<LivePrices, 'dataAt' | 'generation'>,
  now: () => number,
): PriceBook {
  return createPriceBook({
    overrides: {},
    unknown: 'refuse',
    ceiling: {},
    live: { overridesOf: () => undefined, generation: live.generation, dataAt: (atMs) => live.dataAt(atMs) },
    now,
  })
}

/** @returns `undefined` where nobody knows one */
export function priceOf(book: PriceBook, query: PriceQuery): ResolvedPrice | undefined {
  try {
    return book.priceOf(query)
  } catch (error) {
    if (isUnknownPrice(error)) return undefined
    throw error
  }
}

/** @returns targets of the configuration and of calls, each once, in the order of their names */
export function inUse(
  configured: readonly PriceTarget[],
  seen: readonly PriceTarget[],
): (PriceTarget & { readonly configured: boolean })[] {
  const byName = new Map<string, PriceTarget & { readonly configured: boolean }>()
  for (const { provider, model } of seen)
    byName.set(`${provider}/${model}`, { provider, model, configured: false })
  for (const { provider, model } of configured)
    byName.set(`${provider}/${model}`, { provider, model, configured: true })
  return [...byName].sort(([first], [second]) => (first < second ? -1 : 1)).map(([, target]) => target)
}

export function toTarget(text: string): PriceTarget {
  const slash = text.indexOf('/')
  return { provider: text.slice(0, slash), model: text.slice(slash + 1) }
}

function isMeant(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

/** @returns the one target that a name means, or those in use that a pattern does */
function meantBy(written: string, known: readonly PriceTarget[]): readonly PriceTarget[] {
  const { provider, model } = toTarget(written)
  if (!model.endsWith('*')) return [{ provider, model }]
  return known.filter((each) => each.provider === provider && isMeant(model, each.model))
}

/** More than these are not printed by anyone. */
const OVERRIDES_MAX = 10_000

async function overridesInForce(
  store: PriceStore,
  organizationId: string | undefined,
  at: Date,
): Promise<PriceOverride[]> {
  const byTarget = new Map<string, PriceOverride>()
  await store.loadOverrides(organizationId, at, (page) => {
    for (const override of page) {
      const name = `${override.organizationId} ${override.target}`
      if (override.validFrom <= at && byTarget.size < OVERRIDES_MAX) byTarget.set(name, override)
    }
  })
  return [...byTarget.values()].filter(({ price }) => price !== null)
}
