import { hash } from 'node:crypto'
import type { LedgerRow } from '../ledger/ports.ts'

/**
 * Longest text in a column that is indexed or a dimension. PostgreSQL refuses index rows above 2,704 bytes, and one
 * refused row would hold up all that are written with it.
 */
const TEXT_LENGTH_MAX = 200
const DIGEST_LENGTH = 16

const TEXT_FIELDS = [
  'id',
  'requestId',
  'organizationId',
  'teamId',
  'keyId',
  'userId',
  'sessionId',
  'provider',
  'model',
  'requestedModel',
  'operation',
  'task',
  'format',
  'errorCode',
  'priceVersion',
  'cache',
] as const satisfies readonly (keyof LedgerRow)[]

/** PostgreSQL's `integer`. */
const SMALL_FIELDS = ['attempt', 'status'] as const satisfies readonly (keyof LedgerRow)[]

const INTEGER_FIELDS = [
  'tokensInput',
  'tokensOutput',
  'tokensCached',
  'tokensCacheWrite',
  'tokensReasoning',
  'costNanoUsd',
] as const satisfies readonly (keyof LedgerRow)[]

const FRACTION_FIELDS = [
  'latencyMs',
  'firstTokenMs',
  'overheadMs',
] as const satisfies readonly (keyof LedgerRow)[]

/**
 * @returns the row itself where every value can be stored; else a copy without what PostgreSQL cannot hold: zero
 *   characters go, halves of surrogate pairs become U+FFFD, texts that are too long keep their beginning and a
 *   digest of the whole, so that different ones stay different; what is no number becomes 0
 */
export function toStorableRow(row: LedgerRow): LedgerRow {
  let copy: Record<string, unknown> | undefined
  for (const field of TEXT_FIELDS) {
    const value = row[field]
    if (value === null || isStorableText(value)) continue
    copy ??= { ...row }
    copy[field] = toStorableText(value)
  }
  for (const field of SMALL_FIELDS) {
    const value = row[field]
    if (value === (value | 0)) continue
    copy ??= { ...row }
    copy[field] = value | 0
  }
  for (const field of INTEGER_FIELDS) {
    const value = row[field]
    if (value === null || Number.isSafeInteger(value)) continue
    copy ??= { ...row }
    copy[field] = Number.isSafeInteger(Math.round(value)) ? Math.round(value) : 0
  }
  for (const field of FRACTION_FIELDS) {
    const value = row[field]
    if (value === null || Number.isFinite(value)) continue
    copy ??= { ...row }
    copy[field] = 0
  }
  return copy === undefined ? row : (copy as unknown as LedgerRow)
}

function isStorableText(value: string): boolean {
  return value.length <= TEXT_LENGTH_MAX && !value.includes('\0') && value.isWellFormed()
}

function toStorableText(value: string): string {
  const clean = withoutRefused(value)
  if (clean.length <= TEXT_LENGTH_MAX) return clean
  const digest = hash('sha256', clean, 'hex').slice(0, DIGEST_LENGTH)
  return `${clean.slice(0, TEXT_LENGTH_MAX - DIGEST_LENGTH - 1).toWellFormed()}~${digest}`
}

function withoutRefused(value: string): string {
  return value.replaceAll('\0', '').toWellFormed()
}
