import type { Command } from 'commander'
import { nanoToUsd } from '../core/money.ts'
import { openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'

interface Flags {
  readonly org?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

type Row = Readonly<Record<string, unknown>>

interface Report {
  readonly clean: boolean
  readonly complete: boolean
  readonly durationMs: number
  readonly totals: Readonly<Record<string, number | string>>
  readonly meters: readonly Row[]
  readonly rollups: readonly Row[]
  readonly spend: readonly Row[]
  readonly holds: readonly Row[]
}

/** `usage reconcile`: compares counters and sums with the ledger. */
export function addReconcile(usage: Command): void {
  usage
    .command('reconcile')
    .description('compare counters, roll-ups and open holds with the ledger, and put right what is provable')
    .option('--org <id or slug>', 'one organization only')
    .option('--dry-run', 'only look')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Ends with 0 where everything agrees or was put right, with 1 where something remains.

Examples:
  gatehouse usage reconcile
  gatehouse usage reconcile --org acme --dry-run
  gatehouse usage reconcile --json`,
    )
    // Options that `usage` has too are read by it, wherever they stand.
    .action((_flags: Flags, command: Command) => run(command.optsWithGlobals()))
}

async function run({ org, dryRun = false, json = false }: Flags): Promise<void> {
  const control = await openControl()
  try {
    const report = (await control.call('POST', '/usage/reconcile', {
      organizationId: org,
      repair: !dryRun,
    })) as Report
    print(
      { text: describe(report), json: report, exitCode: report.clean ? EXIT.success : EXIT.problem },
      json,
    )
  } finally {
    await control.close()
  }
}

/** Longer lists are in --json. */
const ROWS_SHOWN = 50

function describe(report: Report): string {
  const { totals, meters, rollups, spend, holds } = report
  const parts = [
    section(
      meters.filter(({ action, window }) => action !== 'none' || window === 'period'),
      ['organizationId', 'meter', 'ledgerUsd', 'counterUsd', 'heldUsd', 'differenceUsd', 'action'],
    ),
    section(rollups.map(inUsd), ['organizationId', 'day', 'rollup', 'ledgerUsd', 'rollupUsd', 'action']),
    section(spend.map(inUsd), ['organizationId', 'ledgerUsd', 'spendUsd', 'action']),
    section(holds.map(inUsd), ['organizationId', 'holdId', 'ageMs', 'heldUsd', 'ledgerUsd', 'action']),
    report.clean
      ? `Agrees: ${totals.meters} budgets of ${totals.organizations} organizations, ${totals.ledgerUsd} USD.`
      : `Something remains: ${totals.watching} budgets to be watched, ${remaining(totals)} to be looked at.`,
    `Put right: ${totals.adjusted} budgets, ${totals.rollupsAdjusted} sums, ${totals.holdsSettled} holds. ${report.durationMs} ms.`,
    ...(report.complete ? [] : ['It was broken off before its end.']),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function remaining(totals: Report['totals']): number {
  return Number(totals.reported) + Number(totals.rollupsReported) + Number(totals.spendReported)
}

function section(rows: readonly Row[], columns: readonly string[]): string {
  if (rows.length === 0) return ''
  const shown = rows.slice(0, ROWS_SHOWN).map((row) => columns.map((column) => text(row, column)))
  const more = rows.length > ROWS_SHOWN ? `\n… and ${rows.length - ROWS_SHOWN} more: see --json` : ''
  return `${table(columns, shown)}${more}`
}

/** Adds `ledgerUsd` for `ledgerNanoUsd`, and so on. */
function inUsd(row: Row): Row {
  const names = Object.keys(row).filter((name) => name.endsWith('NanoUsd'))
  const amounts = names.map((name) => [
    name.replace('NanoUsd', 'Usd'),
    row[name] === null ? null : nanoToUsd(Number(row[name])),
  ])
  return { ...row, ...Object.fromEntries(amounts) }
}

function text(row: Row, column: string): string {
  const value = row[column]
  return value === null || value === undefined ? '–' : String(value)
}
