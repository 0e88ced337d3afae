import type { ListPrice } from '../price-rates.ts'

export type { ListPrice }

/** One entry in the history of the prices of an organization. */
export interface PriceOverride {
  readonly id: string
  readonly organizationId: string
  /** `provider/model`; a `*` at the end stands for any ending. */
  readonly target: string
  /** `null` = from then on there is none, and what everybody pays holds again. */
  readonly price: ListPrice | null
  readonly validFrom: Date
  readonly createdAt: Date
}

export type NewOverride = Omit<PriceOverride, 'createdAt'>

/** One entry in the history of the data on what models cost. */
export interface PriceDataEntry {
  /** SHA-256 of the data; `null` = what the build brings along. */
  readonly checksum: string | null
  /** Where it came from, for people. */
  readonly source: string
  readonly validFrom: Date
  readonly createdAt: Date
}

export interface StoredPriceData extends PriceDataEntry {
  /** JSON text as genai-prices publishes it; `null` where `checksum` is. */
  readonly data: string | null
}

/** What has changed: the prices of one organization, the data, or nobody knows what. */
export type PriceChange = { readonly organizationId: string } | 'data' | 'all'

/** What prices need of a store. Implemented in `storage/`, for PostgreSQL and PGlite alike. */
export interface PriceStore {
  /**
   * Hands over, page by page, every override that is in force at `since` or begins later, in the order of `validFrom`
   * within a target; of two that begin at once, the one that was added later comes later.
   *
   * @param organizationId of one alone; `undefined` = of all
   */
  loadOverrides(
    organizationId: string | undefined,
    since: Date,
    onPage: (overrides: readonly PriceOverride[]) => void,
  ): Promise<void>
  /** Everything that ever was, newest first. */
  listOverrides(organizationId: string, target: string | undefined, rowsMax: number): Promise<PriceOverride[]>
  addOverride(override: NewOverride): Promise<PriceOverride>
  /** The data in force at `since`, and what follows, in the order of `validFrom`; the newest `rowsMax` of it. */
  loadData(since: Date, rowsMax: number): Promise<StoredPriceData[]>
  /** Everything that ever was in force, newest first, without the data itself. */
  listData(rowsMax: number): Promise<PriceDataEntry[]>
  addData(entry: Omit<StoredPriceData, 'createdAt'>): Promise<void>
  /**
   * Calls back with every change, wherever it was made.
   *
   * @returns stops watching
   */
  watch(onChange: (change: PriceChange) => void): Promise<() => Promise<void>>
}
