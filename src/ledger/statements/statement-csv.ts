import { type Amounts, usdToNano } from './amounts.ts'
import { type Cell, toCsvRecord } from './csv.ts'
import { BREAKDOWNS } from './ports.ts'
import type { Statement, StatementLine } from './statement.ts'

const COLUMNS = [
  'month',
  'status',
  'organization_id',
  'organization_name',
  'breakdown',
  'id',
  'name',
  'provider',
  'model',
  'requests',
  'tokens_input',
  'tokens_output',
  'tokens_total',
  'tokens_cached',
  'cost_usd',
  'cost_nano_usd',
  'estimated_rows',
  'estimated_usd',
  'adjustment_usd',
  'checksum',
] as const

export function csvHeader(): string {
  return toCsvRecord(COLUMNS)
}

/**
 * @returns one record for the total, then one for each line of each breakdown, and one for each month that was
 *   adjusted. The lines of a breakdown add up to the total, so a sum is taken over one breakdown, never over all
 */
export function toCsv(statement: Statement): string {
  const record = (breakdown: string, line: Partial<StatementLine>, amounts: Amounts) =>
    toCsvRecord([
      statement.month,
      statement.status,
      statement.organizationId,
      statement.organizationName,
      breakdown,
      line.id ?? null,
      toName(line),
      line.provider ?? null,
      line.model ?? null,
      ...toCells(amounts),
      statement.checksum ?? null,
    ])
  return [
    record('total', {}, statement.totals),
    ...BREAKDOWNS.flatMap((breakdown) =>
      statement.breakdowns[breakdown].map((line) => record(breakdown, line, line)),
    ),
    ...statement.adjustments.map((line) => record('adjustment', { id: line.month }, line)),
  ].join('')
}

function toName({ name, others }: Partial<StatementLine>): string | null {
  return others === undefined ? (name ?? null) : `${others} others`
}

function toCells(amounts: Amounts): Cell[] {
  return [
    amounts.requests,
    amounts.tokensInput,
    amounts.tokensOutput,
    amounts.tokensTotal,
    amounts.tokensCached,
    { exact: amounts.costUsd },
    usdToNano(amounts.costUsd),
    amounts.estimated,
    { exact: amounts.estimatedUsd },
    { exact: amounts.adjustmentUsd },
  ]
}
