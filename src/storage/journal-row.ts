import type { LedgerRow } from '../ledger/ports.ts'

/**
 * Place of each field in a row of the journal. New fields take the next number and none is ever used again: journals
 * of earlier versions are read with this table.
 */
const PLACES = {
  id: 0,
  requestId: 1,
  attempt: 2,
  final: 3,
  organizationId: 4,
  teamId: 5,
  keyId: 6,
  userId: 7,
  sessionId: 8,
  tags: 9,
  provider: 10,
  model: 11,
  requestedModel: 12,
  operation: 13,
  task: 14,
  format: 15,
  stream: 16,
  status: 17,
  errorCode: 18,
  tokensInput: 19,
  tokensOutput: 20,
  tokensCached: 21,
  tokensCacheWrite: 22,
  tokensReasoning: 23,
  costNanoUsd: 24,
  priceVersion: 25,
  estimated: 26,
  cache: 27,
  latencyMs: 28,
  firstTokenMs: 29,
  overheadMs: 30,
  waterfall: 31,
  createdAt: 32,
} as const satisfies Readonly<Record<keyof LedgerRow, number>>

const FIELDS = Object.entries(PLACES)

/** Of an encoded row; a plain one has a thousandth of it. */
const TEXT_LENGTH_MAX = 1024 * 1024

/** JSON turns what is no number into `null`, which the ledger refuses here. */
const NEVER_NULL = ['attempt', 'status', 'costNanoUsd', 'latencyMs', 'overheadMs'] as const

/**
 * @returns a JSON array of the values: measured on rows of a plain call, a third of the time that an object takes (no
 *   names to look up and to escape) and 1,000 bytes instead of 1,400
 */
export function encodeRow(row: LedgerRow): string {
  try {
    const text = toJson(row, row.tags, row.waterfall)
    if (text.length <= TEXT_LENGTH_MAX) return text
  } catch {
    // A circle or a BigInt among the free-form values.
  }
  // The money is in the others.
  return toJson(row, {}, null)
}

function toJson(row: LedgerRow, tags: unknown, waterfall: unknown): string {
  return JSON.stringify([
    row.id,
    row.requestId,
    row.attempt,
    row.final,
    row.organizationId,
    row.teamId,
    row.keyId,
    row.userId,
    row.sessionId,
    tags,
    row.provider,
    row.model,
    row.requestedModel,
    row.operation,
    row.task,
    row.format,
    row.stream,
    row.status,
    row.errorCode,
    row.tokensInput,
    row.tokensOutput,
    row.tokensCached,
    row.tokensCacheWrite,
    row.tokensReasoning,
    row.costNanoUsd,
    row.priceVersion,
    row.estimated,
    row.cache,
    row.latencyMs,
    row.firstTokenMs,
    row.overheadMs,
    waterfall,
    row.createdAt.getTime(),
  ])
}

/** @throws SyntaxError where the text is no row */
export function decodeRow(text: string): LedgerRow {
  const values: unknown = JSON.parse(text)
  if (!Array.isArray(values) || typeof values[0] !== 'string') throw new SyntaxError('This is no row.')
  const row: Record<string, unknown> = {}
  // What an earlier version did not know is null.
  for (const [field, place] of FIELDS) row[field] = values[place] ?? null
  for (const field of NEVER_NULL) row[field] ??= 0
  row.tags ??= {}
  row.createdAt = new Date(Number(row.createdAt))
  return row as unknown as LedgerRow
}
