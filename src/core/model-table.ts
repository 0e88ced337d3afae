import type { ModelInfo, ModelPrice } from '@pydantic/genai-prices'
import { type Matcher, type MatchLogic, toMatcher } from './model-match.ts'

/** A provider of a price list, as genai-prices publishes it; what is not needed here is left out. */
export interface ListedProvider {
  readonly id: string
  readonly provider_match?: MatchLogic | undefined
  readonly fallback_model_providers?: readonly string[] | undefined
  readonly models: readonly ModelInfo[]
}

export interface ListedModel {
  readonly providerId: string
  readonly model: ModelInfo
  readonly prices: ModelPrice
}

interface Row {
  readonly model: ModelInfo
  readonly matches: Matcher
}

interface Table {
  readonly id: string
  readonly matches: Matcher | undefined
  readonly fallbacks: readonly string[]
  readonly rows: readonly Row[]
}

/**
 * @returns the look-up of a price list: the model that a name at a provider means, and its prices at a moment. It finds
 *   what `calcPrice` of genai-prices 0.1.8 finds in the same data; that function itself reads only one list at a time
 * @throws SyntaxError where a regular expression of the list is none
 */
export function createModelTable(
  providers: readonly ListedProvider[],
): (providerId: string, model: string, at: Date) => ListedModel | undefined {
  const tables = providers.map(toTable)
  const byId = new Map(tables.map((table) => [table.id, table]))

  function tableOf(providerId: string): Table | undefined {
    const id = providerId.toLowerCase().trim()
    return byId.get(id) ?? tables.find(({ matches }) => matches?.(id))
  }

  function findIn(table: Table, name: string): ModelInfo | undefined {
    const own = table.rows.find(({ matches }) => matches(name))
    if (own !== undefined) return own.model
    for (const id of table.fallbacks) {
      const other = byId.get(id)?.rows.find(({ matches }) => matches(name))
      if (other !== undefined) return other.model
    }
    return undefined
  }

  return (providerId, model, at) => {
    const table = tableOf(providerId)
    if (table === undefined) return undefined
    const name = model.toLowerCase().trim()
    const dashed = withDashedDate(name)
    const found = findIn(table, name) ?? (dashed === name ? undefined : findIn(table, dashed))
    return found === undefined
      ? undefined
      : { providerId: table.id, model: found, prices: pricesAt(found, at) }
  }
}

function toTable({ id, provider_match, fallback_model_providers, models }: ListedProvider): Table {
  return {
    id,
    matches: provider_match === undefined ? undefined : toMatcher(provider_match),
    fallbacks: fallback_model_providers ?? [],
    rows: models.map((model) => ({ model, matches: toMatcher(model.match) })),
  }
}

const COMPACT_DATE = /(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g

/** `-20250929` is written `-2025-09-29` by some. */
function withDashedDate(name: string): string {
  return name.replace(COMPACT_DATE, (whole, dash: string, year: string, month: string, day: string) => {
    const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
    return date.getUTCMonth() === Number(month) - 1 ? `${dash}${year}-${month}-${day}` : whole
  })
}

/** The last row whose condition holds; the first, where none does. */
function pricesAt({ prices }: ModelInfo, at: Date): ModelPrice {
  if (!Array.isArray(prices)) return prices
  for (const { constraint, prices: row } of prices.toReversed()) {
    if (constraint === undefined) return row
    if (constraint.type === 'start_date') {
      if (at.getTime() >= Date.parse(constraint.start_date)) return row
    } else if (isWithin(at, constraint.start_time, constraint.end_time)) return row
  }
  return prices[0]?.prices ?? {}
}

/** The end is not within; a span may pass midnight. */
function isWithin(at: Date, start: string, end: string): boolean {
  const second = (at.getTime() / 1000) % 86_400
  const from = secondOf(start)
  const to = secondOf(end)
  return to < from ? second >= from || second < to : second >= from && second < to
}

/** @param time `HH:MM:SSZ` */
function secondOf(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.replace('Z', '').split(':').map(Number)
  return hours * 3600 + minutes * 60 + seconds
}
