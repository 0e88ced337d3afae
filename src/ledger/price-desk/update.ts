import { BUNDLED_MODELS, type ModelData } from '../../core/model-data.ts'
import type { PriceQuery, ResolvedPrice } from '../prices.ts'
import { checksumOf, parsePriceData } from './data.ts'
import { changesOf, isDrastic, type PartChange } from './parts.ts'
import {
  createListBook,
  inUse,
  type PricesInForce,
  type PriceTarget,
  priceOf,
  type ReportOptions,
} from './report.ts'

/** What other data would change about one model. */
export interface DataChange extends PriceTarget {
  readonly inUse: boolean
  readonly from: ResolvedPrice | undefined
  readonly to: ResolvedPrice | undefined
  readonly changes: readonly PartChange[]
  /** To nothing, by more than ten times, or to unknown: somebody should look. */
  readonly drastic: boolean
}

export interface UpdateRequest {
  /** Data as genai-prices publishes it; `undefined` = back to what the build brings along. */
  readonly data: unknown
  /** Where it came from, for people. */
  readonly source: string
  readonly dryRun: boolean
  /** Puts it in force though some changes are drastic. */
  readonly force: boolean
}

export interface UpdateReport {
  /** Names the data in the versions of prices. */
  readonly version: string
  readonly checksum: string | null
  /** `stored` = in force for calls that begin from now on; `unchanged` = it was before. */
  readonly outcome: 'stored' | 'unchanged' | 'dry-run' | 'needs-force'
  /** For the models in use, and drastic ones for all others that can be called. */
  readonly changes: readonly DataChange[]
  /** How many more models of the configured providers change. */
  readonly otherChanges: number
}

export interface PriceUpdate {
  /**
   * Puts other data on what models cost in force, for calls that begin from then on.
   *
   * @throws GatewayError `invalid_request` where it is no such data; then nothing changed
   */
  update(request: UpdateRequest): Promise<UpdateReport>
}

export function createPriceUpdate({ store, directory, inForce, seen, now }: ReportOptions): PriceUpdate {
  return {
    async update({ data, source, dryRun, force }) {
      const text = data === undefined ? null : JSON.stringify(data)
      const checksum = text === null ? null : checksumOf(text)
      const model = checksum === null ? BUNDLED_MODELS : parsePriceData(data, checksum)
      const before = directory.dataAt(now()).data
      const plane = inForce()
      const changes = compare(before, model, plane, inUse(plane.targets, await seen()), now)
      const shown = changes.filter((change) => change.inUse || change.drastic)
      const report = {
        version: model.version,
        checksum,
        changes: shown,
        otherChanges: changes.length - shown.length,
      }
      if (before.version === model.version) return { ...report, outcome: 'unchanged' }
      if (dryRun) return { ...report, outcome: 'dry-run' }
      if (!force && changes.some(({ drastic }) => drastic)) return { ...report, outcome: 'needs-force' }
      await store.addData({ checksum, source, data: text, validFrom: new Date(now()) })
      await directory.refresh('data')
      return { ...report, outcome: 'stored' }
    },
  }
}

/** @returns every target that can be called and whose price differs, those in use first */
function compare(
  before: ModelData,
  after: ModelData,
  { providers, facts, overrides }: PricesInForce,
  used: readonly PriceTarget[],
  now: () => number,
): DataChange[] {
  const bookOf = (data: ModelData) =>
    createListBook(
      { generation: 0, dataAt: () => ({ data, fromMs: 0, untilMs: Number.POSITIVE_INFINITY }) },
      now,
    )
  const [old, fresh] = [bookOf(before), bookOf(after)]
  const names = new Set(used.map(({ provider, model }) => `${provider}/${model}`))
  const callable = providers.flatMap((provider) => {
    const { pricesId } = facts(provider)
    if (pricesId === undefined) return []
    return [...new Set([...before.names(pricesId), ...after.names(pricesId)])]
      .filter((model) => !names.has(`${provider}/${model}`))
      .map((model) => ({ provider, model }))
  })
  return [...used, ...callable].flatMap(({ provider, model }): DataChange[] => {
    // What the configuration prices itself, no data changes.
    if (`${provider}/${model}` in overrides) return []
    const query: PriceQuery = { providerName: provider, model, ...facts(provider) }
    const from = priceOf(old, query)
    const to = priceOf(fresh, query)
    const changes = changesOf(from, to)
    const isLost = from !== undefined && to === undefined
    if (changes.length === 0 && (from === undefined) === (to === undefined)) return []
    return [
      {
        provider,
        model,
        inUse: names.has(`${provider}/${model}`),
        from,
        to,
        changes,
        drastic: changes.some(isDrastic) || isLost,
      },
    ]
  })
}
