import { BUNDLED_MODELS, type ModelData } from '../../core/model-data.ts'
import { createOverrideBook, type OverrideBook } from '../price-overrides.ts'
import { BUNDLED_PRICES, type DataInForce, type LivePrices } from '../prices.ts'
import { parsePriceData } from './data.ts'
import type { PriceChange, PriceOverride, PriceStore, StoredPriceData } from './ports.ts'

/** The stored prices, held in memory and kept fresh. */
export interface PriceDirectory extends LivePrices {
  /** @returns once what was stored of it before is in force here */
  refresh(change: PriceChange): Promise<void>
  close(): Promise<void>
}

export interface PriceDirectoryOptions {
  readonly store: PriceStore
  /** Unix time in milliseconds. */
  readonly now: () => number
  /** Told what could not be read; what is known stays in force until the next try. */
  readonly onError: (error: unknown) => void
}

/** A batch is booked at the price with which it began, and is soon over: OpenAI gives it a day. */
const PAST_MS = 31 * 86_400_000
/** Data of half a megabyte each. */
const DATA_ENTRIES_MAX = 4
const RETRY_MS = 1000

/**
 * Loads all stored prices and follows changes from then on.
 *
 * @returns once they are complete
 * @throws GatewayError `storage_unavailable`
 */
export async function openPriceDirectory(options: PriceDirectoryOptions): Promise<PriceDirectory> {
  const { store, now, onError } = options
  let books = new Map<string, OverrideBook>()
  let data: readonly DataInForce[] = [BUNDLED_PRICES.dataAt(0)]
  let parsed = new Map<string, ModelData>()
  let generation = 0
  let pending = new Set<string>()
  let loading: Promise<void> | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const since = () => new Date(now() - PAST_MS)
  const onUnusable = (error: unknown, { id, target }: PriceOverride) =>
    onError(new Error(`The price ${id} of ${target} cannot be used.`, { cause: error }))

  async function loadOverrides(organizationId: string | undefined): Promise<void> {
    const read = new Map<string, PriceOverride[]>()
    await store.loadOverrides(organizationId, since(), (page) => {
      for (const override of page) {
        const own = read.get(override.organizationId)
        if (own === undefined) read.set(override.organizationId, [override])
        else own.push(override)
      }
    })
    const fresh = organizationId === undefined ? new Map<string, OverrideBook>() : books
    if (organizationId !== undefined) fresh.delete(organizationId)
    for (const [id, own] of read) fresh.set(id, createOverrideBook(own, onUnusable))
    books = fresh
  }

  async function loadData(): Promise<void> {
    const entries = await store.loadData(since(), DATA_ENTRIES_MAX)
    const kept = new Map<string, ModelData>()
    const inForce: DataInForce[] = []
    for (const entry of entries) {
      const model = modelDataOf(entry, parsed, onError)
      if (model === undefined) continue
      if (entry.checksum !== null) kept.set(entry.checksum, model)
      inForce.push({ data: model, fromMs: entry.validFrom.getTime(), untilMs: Number.POSITIVE_INFINITY })
    }
    parsed = kept
    data = chain(inForce)
    generation += 1
  }

  async function load(): Promise<void> {
    try {
      while (pending.size > 0 && !closed) {
        const changes = pending
        pending = new Set()
        try {
          if (changes.has(ALL)) await loadOverrides(undefined)
          else for (const id of changes) if (id !== DATA) await loadOverrides(id.slice(PREFIX.length))
          if (changes.has(ALL) || changes.has(DATA)) await loadData()
        } catch (error) {
          for (const change of changes) pending.add(change)
          throw error
        }
      }
    } finally {
      // In the same step in which nothing more is found, so that no change is left waiting.
      loading = undefined
    }
  }

  /** One load at a time; what changes during one is loaded after it. */
  function refresh(change: PriceChange): Promise<void> {
    pending.add(nameOf(change))
    clearTimeout(timer)
    loading ??= load()
    return loading
  }

  function follow(change: PriceChange): void {
    refresh(change).catch((error: unknown) => {
      onError(error)
      if (closed) return
      clearTimeout(timer)
      timer = setTimeout(() => follow(change), RETRY_MS).unref()
    })
  }

  // Watching begins before loading, so that no change falls between the two.
  const stop = await store.watch(follow)
  async function close(): Promise<void> {
    closed = true
    clearTimeout(timer)
    await stop()
    await loading?.catch(() => undefined)
  }
  try {
    await refresh('all')
  } catch (error) {
    await close()
    throw error
  }
  return {
    overridesOf: (organizationId) => books.get(organizationId),
    get generation() {
      return generation
    },
    dataAt: (atMs) => data.findLast(({ fromMs }) => fromMs <= atMs) ?? BUNDLED_PRICES.dataAt(atMs),
    refresh,
    close,
  }
}

const ALL = 'all'
const DATA = 'data'
const PREFIX = 'organization:'

function nameOf(change: PriceChange): string {
  return typeof change === 'string' ? change : PREFIX + change.organizationId
}

/** @returns `undefined` where it is no data: then what was in force before stays in force */
function modelDataOf(
  { checksum, data, source }: StoredPriceData,
  known: ReadonlyMap<string, ModelData>,
  onError: (error: unknown) => void,
): ModelData | undefined {
  if (checksum === null) return BUNDLED_MODELS
  const before = known.get(checksum)
  if (before !== undefined) return before
  try {
    return parsePriceData(JSON.parse(data ?? ''), checksum)
  } catch (error) {
    onError(new Error(`The stored prices from ${source} cannot be used.`, { cause: error }))
    return undefined
  }
}

/** Each holds until the next begins; before the first, the bundled data does. */
function chain(entries: readonly DataInForce[]): DataInForce[] {
  const inOrder = [BUNDLED_PRICES.dataAt(0), ...entries]
  return inOrder.map((entry, index) => ({
    ...entry,
    untilMs: inOrder[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY,
  }))
}
