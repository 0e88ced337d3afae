import type { Booked, BookedLine, Breakdown, Charge, Month, Sums } from '../ledger/statements/ports.ts'

const COLUMNS = [
  'id',
  'created_at',
  'final',
  'team_id',
  'key_id',
  'user_id',
  'tags',
  'provider',
  'model',
  'operation',
  'task',
  'tokens_input',
  'tokens_output',
  'tokens_cached',
  'tokens_cache_write',
  'tokens_reasoning',
  'cost_nano_usd',
  'estimated',
]
  .map((name) => `ledger.${name}`)
  .join(', ')

const SUMS = `
  coalesce(sum(final::int), 0)::bigint AS requests,
  coalesce(sum(tokens_input), 0)::bigint AS tokens_input,
  coalesce(sum(tokens_output), 0)::bigint AS tokens_output,
  coalesce(sum(tokens_cached), 0)::bigint AS tokens_cached,
  coalesce(sum(cost_nano_usd), 0)::bigint AS cost_nano_usd,
  coalesce(sum(estimated::int), 0)::bigint AS estimated,
  coalesce(sum(CASE WHEN estimated THEN cost_nano_usd END), 0)::bigint AS estimated_nano_usd,
  coalesce(sum(CASE WHEN adjustment THEN cost_nano_usd END), 0)::bigint AS adjustment_nano_usd`
const SUM_NAMES = [
  'requests',
  'tokens_input',
  'tokens_output',
  'tokens_cached',
  'cost_nano_usd',
  'estimated',
  'estimated_nano_usd',
  'adjustment_nano_usd',
] as const
const SUM_AGAIN = SUM_NAMES.map((name) => `sum(${name})::bigint AS ${name}`).join(', ')

/** Sets of columns that are summed by, beside the total; the columns tell the sets apart. */
const SETS: readonly (readonly [name: Breakdown | 'adjustment', columns: readonly string[]])[] = [
  ['team', ['team_id']],
  ['key', ['key_id']],
  ['user', ['user_id']],
  ['model', ['provider', 'model']],
  ['operation', ['operation']],
  ['task', ['task']],
  ['deal', ['deal']],
  ['cycle', ['cycle']],
  ['day', ['day']],
  ['adjustment', ['adjusted_month']],
]
const MARKS = SETS.map(([, columns]) => columns[0])
const TOTAL_MARK = 2 ** MARKS.length - 1

interface SqlText {
  readonly sql: string
  readonly parameters: unknown[]
}

interface BookedScope {
  /** Unset: all organizations. */
  readonly organizationId?: string | undefined
  readonly month: Month
  /** Only rows of this stretch of time. */
  readonly within?: { readonly from: Date; readonly to: Date }
}

/**
 * @returns a query for the rows that are booked in a month: its own but for those that came after it was closed, and
 *   those of closed months that were put off until this one
 */
export function bookedRows({ organizationId, month, within }: BookedScope): SqlText {
  const parameters: unknown[] = []
  const parameter = (value: unknown, type: string) => `$${parameters.push(value)}::${type}`
  const moment = (value: Date) => parameter(value.toISOString(), 'timestamptz')
  const organization = organizationId === undefined ? undefined : parameter(organizationId, 'text')
  const of = (table: string) =>
    organization === undefined ? [] : [`${table}.organization_id = ${organization}`]
  const from = new Date(Math.max(month.start.getTime(), within?.from.getTime() ?? 0))
  const to = new Date(Math.min(month.end.getTime(), within?.to.getTime() ?? Number.MAX_SAFE_INTEGER))
  const own = [
    `ledger.created_at >= ${moment(from)}`,
    `ledger.created_at < ${moment(to)}`,
    ...of('ledger'),
    'NOT EXISTS (SELECT 1 FROM ledger_adjustments AS late WHERE late.ledger_id = ledger.id AND late.created_at = ledger.created_at)',
  ]
  const late = [
    `late.booked_month = ${parameter(toDate(month), 'date')}`,
    ...of('late'),
    ...(within === undefined
      ? []
      : [`late.created_at >= ${moment(within.from)}`, `late.created_at < ${moment(within.to)}`]),
  ]
  return {
    sql:
      `SELECT ${COLUMNS}, false AS adjustment FROM ledger WHERE ${own.join(' AND ')} UNION ALL ` +
      `SELECT ${COLUMNS}, true FROM ledger_adjustments AS late JOIN ledger ` +
      `ON ledger.id = late.ledger_id AND ledger.created_at = late.created_at WHERE ${late.join(' AND ')}`,
    parameters,
  }
}

export function toDate(month: Month): string {
  return `${month.name}-01`
}

export function totalsQuery(month: Month): SqlText {
  const { sql, parameters } = bookedRows({ month })
  return { sql: `SELECT ${SUMS} FROM (${sql}) AS booked`, parameters }
}

/** @returns one statement for the total and all breakdowns, so that all of them see the same rows */
export function bookQuery(organizationId: string, month: Month, linesMax: number): SqlText {
  const { sql, parameters } = bookedRows({ organizationId, month })
  const sets = SETS.map(([, columns]) => `(${columns.join(', ')})`).join(', ')
  // In a row of one set the columns of all others are null.
  const first = SETS.map(([, columns]) => columns[0]).join(', ')
  const most = `$${parameters.push(linesMax)}::int`
  return {
    sql: `
WITH facts AS (
  SELECT team_id, key_id, user_id, provider, model, operation, task,
    (tags ->> 'deal') COLLATE "C" AS deal, (tags ->> 'cycle') COLLATE "C" AS cycle,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') COLLATE "C" AS day,
    CASE WHEN adjustment THEN to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') END COLLATE "C" AS adjusted_month,
    final, tokens_input, tokens_output, tokens_cached, cost_nano_usd, estimated, adjustment
  FROM (${sql}) AS booked
), sums AS (
  SELECT grouping(${MARKS.join(', ')}) AS mark, coalesce(${first}) COLLATE "C" AS first, model AS second, ${SUMS}
  FROM facts GROUP BY GROUPING SETS ((), ${sets})
), ranked AS (
  SELECT *, row_number() OVER (
    PARTITION BY mark ORDER BY cost_nano_usd DESC, requests DESC, first NULLS LAST, second NULLS LAST
  ) > ${most} AS other FROM sums
)
SELECT mark, other, CASE WHEN NOT other THEN first END AS first, CASE WHEN NOT other THEN second END AS second,
  count(*)::int AS lines, ${SUM_AGAIN}
FROM ranked GROUP BY 1, 2, 3, 4
ORDER BY mark, other, cost_nano_usd DESC, requests DESC, 3 NULLS LAST, 4 NULLS LAST`,
    parameters,
  }
}

type SqlRow = Readonly<Record<string, unknown>>

export function fromBookRecords(rows: readonly SqlRow[]): Booked {
  const lines: BookedLine[] = []
  const adjustments: { month: string; sums: Sums }[] = []
  let totals: Sums | undefined
  for (const row of rows) {
    const sums = toSums(row)
    const mark = Number(row.mark)
    if (mark === TOTAL_MARK) {
      totals = sums
      continue
    }
    const [name, columns] = setOf(mark)
    const first = row.first as string | null
    if (name === 'adjustment') {
      // Null stands for all that is no adjustment.
      if (first !== null) adjustments.push({ month: first, sums })
      continue
    }
    const values = columns.length === 1 ? [first] : [first, row.second as string | null]
    lines.push({ breakdown: name, values, others: row.other === true ? Number(row.lines) : 0, sums })
  }
  if (totals === undefined) throw new Error('Sums without a total.')
  adjustments.sort((a, b) => (a.month < b.month ? -1 : 1))
  return { totals, lines, adjustments }
}

/** @param mark has a bit of 0 where the first column of a set is summed by, the last set in the lowest bit */
function setOf(mark: number): (typeof SETS)[number] {
  const index = MARKS.length - 1 - Math.log2(TOTAL_MARK - mark)
  const set = SETS[index]
  if (set === undefined) throw new Error(`No set has the mark ${mark}.`)
  return set
}

export function toSums(row: SqlRow): Sums {
  return {
    requests: Number(row.requests),
    tokensInput: Number(row.tokens_input),
    tokensOutput: Number(row.tokens_output),
    tokensCached: Number(row.tokens_cached),
    costNanoUsd: toBigInt(row.cost_nano_usd),
    estimated: Number(row.estimated),
    estimatedNanoUsd: toBigInt(row.estimated_nano_usd),
    adjustmentNanoUsd: toBigInt(row.adjustment_nano_usd),
  }
}

/** Integers come as numbers while they are safe, and as `bigint` beyond. */
function toBigInt(value: unknown): bigint {
  return BigInt(value as number | bigint)
}

export function watermarkQuery(organizationId: string, month: Month): SqlText {
  const { sql, parameters } = bookedRows({ organizationId, month })
  return {
    sql: `SELECT count(*) AS rows, max(created_at) AS newest_at, max(id) AS newest_id,
      coalesce(sum(('x' || left(encode(sha256(convert_to(id || ':' || cost_nano_usd, 'UTF8')), 'hex'), 16))::bit(64)::bigint & 9223372036854775807), 0)::text AS digest
      FROM (${sql}) AS booked`,
    parameters,
  }
}

const DAY_MS = 86_400_000

export function chargesQuery(
  organizationId: string,
  month: Month,
  day: string,
  offset: number,
  limit: number,
): SqlText {
  const from = new Date(`${day}T00:00:00.000Z`)
  const to = new Date(from.getTime() + DAY_MS)
  const { sql, parameters } = bookedRows({ organizationId, month, within: { from, to } })
  const place = `LIMIT $${parameters.push(limit)}::int OFFSET $${parameters.push(offset)}::int`
  return {
    sql: `SELECT team_id, key_id, provider, model, ${SUMS},
      coalesce(sum(tokens_cache_write), 0)::bigint AS tokens_cache_write,
      coalesce(sum(tokens_reasoning), 0)::bigint AS tokens_reasoning
      FROM (${sql}) AS booked GROUP BY team_id, key_id, provider, model
      HAVING sum(cost_nano_usd) <> 0 OR sum(coalesce(tokens_input, 0) + coalesce(tokens_output, 0)) > 0
        OR (provider IS NOT NULL AND bool_or(final))
      ORDER BY team_id NULLS LAST, key_id NULLS LAST, provider NULLS LAST, model NULLS LAST ${place}`,
    parameters,
  }
}

/** @param toUsd nano-dollars to an exact decimal */
export function fromChargeRecord(row: SqlRow, day: string, toUsd: (nano: bigint) => string): Charge {
  const sums = toSums(row)
  return {
    day,
    teamId: row.team_id as string | null,
    keyId: row.key_id as string | null,
    provider: row.provider as string | null,
    model: row.model as string | null,
    requests: sums.requests,
    tokensInput: sums.tokensInput,
    tokensOutput: sums.tokensOutput,
    tokensCached: sums.tokensCached,
    tokensCacheWrite: Number(row.tokens_cache_write),
    tokensReasoning: Number(row.tokens_reasoning),
    costUsd: toUsd(sums.costNanoUsd),
    estimatedUsd: toUsd(sums.estimatedNanoUsd),
  }
}
