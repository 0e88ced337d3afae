import type {
  ListPrice,
  PriceDataEntry,
  PriceOverride,
  PriceStore,
  StoredPriceData,
} from '../ledger/price-desk/ports.ts'
import type { Database } from './database.ts'
import { watchPrices } from './price-watcher.ts'

/** Columns of a price, and what they are called outside. */
const PARTS = {
  inputPerMillionUsd: 'input_per_million_usd',
  outputPerMillionUsd: 'output_per_million_usd',
  cachedInputPerMillionUsd: 'cached_input_per_million_usd',
  cacheWritePerMillionUsd: 'cache_write_per_million_usd',
  reasoningPerMillionUsd: 'reasoning_per_million_usd',
  perRequestUsd: 'per_request_usd',
  perImageUsd: 'per_image_usd',
  perMillionCharactersUsd: 'per_million_characters_usd',
  perMinuteUsd: 'per_minute_usd',
  perSearchUsd: 'per_search_usd',
} as const satisfies Partial<Record<keyof ListPrice, string>>

const NAMES = Object.keys(PARTS) as readonly (keyof typeof PARTS)[]
const COLUMNS = `id, position, organization_id, target, ${Object.values(PARTS).join(', ')}, removed, valid_from, created_at`
const PAGE_ROWS = 5000

interface OverrideRecord
  extends Readonly<Partial<Record<(typeof PARTS)[keyof typeof PARTS], string | null>>> {
  readonly id: string
  readonly position: number
  readonly organization_id: string
  readonly target: string
  readonly removed: boolean
  readonly valid_from: Date
  readonly created_at: Date
}

interface DataRecord {
  readonly checksum: string | null
  readonly source: string
  readonly data: string | null
  readonly valid_from: Date
  readonly created_at: Date
}

/** Prices in SQL: histories to which rows are added. Every addition is announced by a trigger, in its own transaction. */
export function createPriceStore(database: Database): PriceStore {
  return {
    async loadOverrides(organizationId, since, onPage) {
      // A row that was followed by another one before `since` is history.
      const past = `NOT EXISTS (SELECT FROM price_overrides AS later
        WHERE later.organization_id = price_overrides.organization_id AND later.target = price_overrides.target
          AND (later.valid_from, later.position) > (price_overrides.valid_from, price_overrides.position)
          AND later.valid_from <= $1::timestamptz)`
      const whose = organizationId === undefined ? '' : 'AND organization_id = $6'
      let after = { organization_id: '', target: '', valid_from: '-infinity' as string | Date, position: 0 }
      for (;;) {
        const { rows } = await database.query<OverrideRecord>(
          `SELECT ${COLUMNS} FROM price_overrides
           WHERE ${past} AND (organization_id, target, valid_from, position) > ($2, $3, $4::timestamptz, $5) ${whose}
           ORDER BY organization_id, target, valid_from, position LIMIT ${PAGE_ROWS}`,
          [
            since,
            after.organization_id,
            after.target,
            after.valid_from,
            after.position,
            ...(organizationId === undefined ? [] : [organizationId]),
          ],
        )
        if (rows.length > 0) onPage(rows.map(fromOverride))
        const last = rows.at(-1)
        if (last === undefined || rows.length < PAGE_ROWS) return
        after = last
      }
    },

    async listOverrides(organizationId, target, rowsMax) {
      const { rows } = await database.query<OverrideRecord>(
        `SELECT ${COLUMNS} FROM price_overrides WHERE organization_id = $1 AND ($2::text IS NULL OR target = $2)
         ORDER BY valid_from DESC, position DESC LIMIT $3`,
        [organizationId, target ?? null, rowsMax],
      )
      return rows.map(fromOverride)
    },

    async addOverride({ id, organizationId, target, price, validFrom }) {
      const values = NAMES.map((name) => price?.[name] ?? null)
      const { rows } = await database.query<OverrideRecord>(
        `INSERT INTO price_overrides (id, organization_id, target, removed, valid_from, ${Object.values(PARTS).join(', ')})
         VALUES ($1, $2, $3, $4, $5, ${values.map((_, index) => `$${index + 6}`).join(', ')}) RETURNING ${COLUMNS}`,
        [id, organizationId, target, price === null, validFrom, ...values],
      )
      const [row] = rows
      if (row === undefined) throw new Error('An INSERT returned no row.')
      return fromOverride(row)
    },

    async loadData(since, rowsMax) {
      const { rows } = await database.query<DataRecord>(
        `SELECT checksum, source, valid_from, created_at, (SELECT data FROM price_data AS first
           WHERE first.checksum = entry.checksum AND first.data IS NOT NULL LIMIT 1) AS data
         FROM price_data AS entry
         WHERE NOT EXISTS (SELECT FROM price_data AS later
           WHERE (later.valid_from, later.id) > (entry.valid_from, entry.id) AND later.valid_from <= $1::timestamptz)
         ORDER BY valid_from DESC, id DESC LIMIT $2`,
        [since, rowsMax],
      )
      return rows.reverse().map((row): StoredPriceData => ({ ...fromData(row), data: row.data }))
    },

    async listData(rowsMax) {
      const { rows } = await database.query<DataRecord>(
        `SELECT checksum, source, valid_from, created_at FROM price_data ORDER BY valid_from DESC, id DESC LIMIT $1`,
        [rowsMax],
      )
      return rows.map(fromData)
    },

    async addData({ checksum, source, data, validFrom }) {
      await database.query(
        `INSERT INTO price_data (checksum, source, valid_from, data) SELECT $1::text, $2, $3::timestamptz,
           CASE WHEN NOT EXISTS (SELECT FROM price_data WHERE checksum = $1::text AND data IS NOT NULL) THEN $4::text END`,
        [checksum, source, validFrom, data],
      )
    },

    watch: (onChange) => watchPrices(database, onChange),
  }
}

function fromOverride(row: OverrideRecord): PriceOverride {
  const parts = NAMES.flatMap((name) => {
    const value = row[PARTS[name]]
    return value === null || value === undefined ? [] : [[name, Number(value)] as const]
  })
  return {
    id: row.id,
    organizationId: row.organization_id,
    target: row.target,
    price: row.removed ? null : Object.fromEntries(parts),
    validFrom: row.valid_from,
    createdAt: row.created_at,
  }
}

function fromData({ checksum, source, valid_from, created_at }: DataRecord): PriceDataEntry {
  return { checksum, source, validFrom: valid_from, createdAt: created_at }
}
