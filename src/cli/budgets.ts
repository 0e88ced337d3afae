import { type Command, InvalidArgumentError, Option } from 'commander'
import type { BudgetReply, BudgetSet } from '../contract/limits.ts'
import { EXIT, print, table } from './output.ts'
import {
  type CommonFlags,
  cell,
  DRY_RUN,
  JSON_FLAG,
  type ListFlags,
  lift,
  NONE,
  policiesOf,
  printRows,
  put,
  remove,
  show,
  toUsd,
} from './policies.ts'
import { SUBJECT_HELP } from './policy-subject.ts'

/** `budgets`: what may be spent, and what was. */
export function addBudgets(program: Command): void {
  const budgets = program.command('budgets').description('what may be spent, and what was')
  budgets
    .command('list', { isDefault: true })
    .description('list the budgets of an organization, or of all')
    .option('--org <id or slug>', 'one organization only')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse budgets\n  gatehouse budgets list --org acme --json')
    .action((flags: ListFlags) => listBudgets(flags))
  budgets
    .command('show')
    .description('show one budget')
    .argument('<subject>', SUBJECT_HELP)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse budgets show acme\n  gatehouse budgets show tag:acme/deal=D-17 --json',
    )
    .action((subject: string, flags: CommonFlags) => show(subject, 'budget', flags, printBudget))
  budgets
    .command('set')
    .description('set or change a budget; what is left out keeps its value')
    .argument('<subject>', SUBJECT_HELP)
    .option('--monthly-usd <amount>', 'US dollars in one period, or none', toUsd)
    .option('--alert-at <shares>', 'shares of the limit that raise an alert, joined by commas', toShares)
    .addOption(new Option('--hard', 'refuse calls beyond the limit').conflicts('soft'))
    .option('--soft', 'only report calls beyond the limit')
    .option('--period <period>', 'day, week, month, quarter, year, or START/END (ISO 8601)', toPeriod)
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse budgets set acme --monthly-usd 50 --alert-at 0.8,1
  gatehouse budgets set key:0199… --monthly-usd 5 --period week --soft
  gatehouse budgets set user:acme/jane --monthly-usd none --dry-run
  gatehouse budgets set tag:acme/deal=D-17 --monthly-usd 20 --period 2026-02-03T00:00:00Z/2026-02-17T00:00:00Z`,
    )
    .action((subject: string, flags: BudgetFlags) => setBudget(subject, flags))
  budgets
    .command('remove')
    .description('take a budget away')
    .argument('<subject>', SUBJECT_HELP)
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse budgets remove key:0199…')
    .action((subject: string, flags: CommonFlags) => remove(subject, 'budget', flags))
}

interface BudgetFlags extends CommonFlags {
  readonly monthlyUsd?: string
  readonly alertAt?: readonly number[]
  readonly hard?: boolean
  readonly soft?: boolean
  readonly period?: string | { readonly start: string; readonly end: string }
}

async function listBudgets(flags: ListFlags): Promise<void> {
  const rows = (await policiesOf(flags)).flatMap((row) =>
    row.budget === null ? [] : [{ ...row, budget: row.budget }],
  )
  printRows(
    flags,
    ['organization', 'scope', 'subject', 'limit USD', 'spent', 'held', 'remaining', 'period', 'kind'],
    rows.map(({ organizationId, scope, subject, budget }) => [
      organizationId,
      scope,
      cell(subject),
      cell(budget.limitUsd),
      budget.spentUsd,
      budget.heldUsd,
      cell(budget.remainingUsd),
      toPeriodText(budget),
      budget.hardLimit ? 'hard' : 'soft',
    ]),
    rows.map(({ limits: _, ...row }) => row),
  )
}

async function setBudget(subject: string, flags: BudgetFlags): Promise<void> {
  const body = {
    ...(flags.monthlyUsd === undefined ? {} : { monthlyLimitUsd: lift(flags.monthlyUsd) }),
    ...(flags.alertAt === undefined ? {} : { alertAt: flags.alertAt }),
    ...(flags.hard === true ? { hardLimit: true } : flags.soft === true ? { hardLimit: false } : {}),
    ...(flags.period === undefined ? {} : { period: flags.period }),
  }
  await put(subject, 'budget', body, flags, printBudget)
}

function printBudget(reply: unknown, flags: CommonFlags): void {
  const budget = reply as BudgetReply
  const rows: [string, string][] = [
    ['limit USD', cell(budget.limitUsd)],
    ['spent', budget.spentUsd],
    ['held', budget.heldUsd],
    ['remaining', cell(budget.remainingUsd)],
    ['period', `${budget.periodStart} – ${budget.periodEnd} (${toPeriodText(budget)})`],
    ['alert at', budget.alertAt.length === 0 ? '–' : budget.alertAt.join(', ')],
    ['beyond the limit', budget.hardLimit ? 'calls are refused' : 'calls are reported'],
  ]
  print({ text: table(['budget', ''], rows), json: budget, exitCode: EXIT.success }, flags.json === true)
}

function toPeriodText({ period }: Pick<BudgetSet, 'period'>): string {
  return typeof period === 'string' ? period : `${period.start}/${period.end}`
}

function toShares(text: string): number[] {
  const shares = text === NONE ? [] : text.split(',').map((part) => Number(part.trim() || Number.NaN))
  if (shares.every((share) => share > 0 && share <= 10)) return shares
  throw new InvalidArgumentError('Expected shares such as 0.8,1, where 0.8 is 80 %, or none.')
}

function toPeriod(text: string): NonNullable<BudgetFlags['period']> {
  if (['day', 'week', 'month', 'quarter', 'year'].includes(text)) return text
  const [start, end, ...rest] = text.split('/')
  if (start !== undefined && end !== undefined && rest.length === 0) return { start, end }
  throw new InvalidArgumentError('Expected day, week, month, quarter, year or START/END.')
}
