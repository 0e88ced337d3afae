import type { LedgerRow } from '../ledger/ports.ts'
import { toStorableJson } from './storable-json.ts'

export type ColumnType =
  | 'text'
  | 'boolean'
  | 'integer'
  | 'bigint'
  | 'double precision'
  | 'jsonb'
  | 'json'
  | 'timestamptz'

/** How a field of a row is stored: column, type and field have one line here and nowhere else. */
export interface LedgerColumn {
  readonly name: string
  readonly type: ColumnType
  readonly field: keyof LedgerRow
}

export const LEDGER_COLUMNS: readonly LedgerColumn[] = [
  { name: 'id', type: 'text', field: 'id' },
  { name: 'request_id', type: 'text', field: 'requestId' },
  { name: 'attempt', type: 'integer', field: 'attempt' },
  { name: 'final', type: 'boolean', field: 'final' },
  { name: 'organization_id', type: 'text', field: 'organizationId' },
  { name: 'team_id', type: 'text', field: 'teamId' },
  { name: 'key_id', type: 'text', field: 'keyId' },
  { name: 'user_id', type: 'text', field: 'userId' },
  { name: 'session_id', type: 'text', field: 'sessionId' },
  { name: 'tags', type: 'jsonb', field: 'tags' },
  { name: 'provider', type: 'text', field: 'provider' },
  { name: 'model', type: 'text', field: 'model' },
  { name: 'requested_model', type: 'text', field: 'requestedModel' },
  { name: 'operation', type: 'text', field: 'operation' },
  { name: 'task', type: 'text', field: 'task' },
  { name: 'format', type: 'text', field: 'format' },
  { name: 'stream', type: 'boolean', field: 'stream' },
  { name: 'status', type: 'integer', field: 'status' },
  { name: 'error_code', type: 'text', field: 'errorCode' },
  { name: 'tokens_input', type: 'bigint', field: 'tokensInput' },
  { name: 'tokens_output', type: 'bigint', field: 'tokensOutput' },
  { name: 'tokens_cached', type: 'bigint', field: 'tokensCached' },
  { name: 'tokens_cache_write', type: 'bigint', field: 'tokensCacheWrite' },
  { name: 'tokens_reasoning', type: 'bigint', field: 'tokensReasoning' },
  { name: 'cost_nano_usd', type: 'bigint', field: 'costNanoUsd' },
  { name: 'price_version', type: 'text', field: 'priceVersion' },
  { name: 'estimated', type: 'boolean', field: 'estimated' },
  { name: 'cache', type: 'text', field: 'cache' },
  { name: 'latency_ms', type: 'double precision', field: 'latencyMs' },
  { name: 'first_token_ms', type: 'double precision', field: 'firstTokenMs' },
  { name: 'overhead_ms', type: 'double precision', field: 'overheadMs' },
  { name: 'waterfall', type: 'json', field: 'waterfall' },
  { name: 'created_at', type: 'timestamptz', field: 'createdAt' },
]

export const LEDGER_COLUMN_NAMES = LEDGER_COLUMNS.map(({ name }) => name).join(', ')

/** @returns JSON for `json_to_recordset` with `LEDGER_RECORD` as its row type */
export function toLedgerJson(rows: readonly LedgerRow[]): string {
  return toStorableJson(
    rows.map((row) => Object.fromEntries(LEDGER_COLUMNS.map(({ name, field }) => [name, row[field]]))),
  )
}

export const LEDGER_RECORD = LEDGER_COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')

/** @param record a row of `ledger` as the driver reads it, all columns present */
export function fromLedgerRecord(record: Readonly<Record<string, unknown>>): LedgerRow {
  return Object.fromEntries(
    LEDGER_COLUMNS.map(({ name, field }) => [field, record[name] ?? null]),
  ) as unknown as LedgerRow
}
