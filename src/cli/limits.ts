import { type Command, InvalidArgumentError } from 'commander'
import type { LimitsReply, LimitsSet } from '../contract/limits.ts'
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

/** `limits`: how much may be used, and how much was. */
export function addLimits(program: Command): void {
  const limits = program.command('limits').description('how much may be used in a minute, an hour or a day')
  limits
    .command('list', { isDefault: true })
    .description('list the limits of an organization, or of all')
    .option('--org <id or slug>', 'one organization only')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse limits\n  gatehouse limits list --org acme --json')
    .action((flags: ListFlags) => listLimits(flags))
  limits
    .command('show')
    .description('show the limits of one, and where each stands')
    .argument('<subject>', SUBJECT_HELP)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse limits show acme\n  gatehouse limits show key:0199…')
    .action((subject: string, flags: CommonFlags) => show(subject, 'limits', flags, printLimits))
  limits
    .command('set')
    .description('set or change limits; what is left out keeps its value')
    .argument('<subject>', SUBJECT_HELP)
    .option('--requests-per-minute <count>', 'calls, or none', toCount)
    .option('--tokens-per-minute <count>', 'tokens, or none', toCount)
    .option('--tokens-per-hour <count>', 'tokens, or none', toCount)
    .option('--cost-per-day-usd <amount>', 'US dollars, or none', toUsd)
    .option('--concurrent-requests <count>', 'calls under way at once, or none', toCount)
    .option('--on-limit <reject or MS/CALLS>', 'refuse at once, or let so many wait so long', toOnLimit)
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse limits set acme --requests-per-minute 600 --tokens-per-hour none
  gatehouse limits set team:0199… --concurrent-requests 4 --on-limit 2000/100`,
    )
    .action((subject: string, flags: LimitsFlags) => setLimits(subject, flags))
  limits
    .command('remove')
    .description('take all limits of one away')
    .argument('<subject>', SUBJECT_HELP)
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse limits remove key:0199…')
    .action((subject: string, flags: CommonFlags) => remove(subject, 'limits', flags))
}

type Count = number | typeof NONE

interface LimitsFlags extends CommonFlags {
  readonly requestsPerMinute?: Count
  readonly tokensPerMinute?: Count
  readonly tokensPerHour?: Count
  readonly costPerDayUsd?: string
  readonly concurrentRequests?: Count
  readonly onLimit?: 'reject' | { readonly queueMs: number; readonly queueMax: number }
}

async function listLimits(flags: ListFlags): Promise<void> {
  const rows = (await policiesOf(flags)).flatMap((row) =>
    row.limits === null ? [] : [{ ...row, limits: row.limits }],
  )
  printRows(
    flags,
    [
      'organization',
      'scope',
      'subject',
      'requests/min',
      'tokens/min',
      'tokens/h',
      'USD/day',
      'parallel',
      'at the limit',
    ],
    rows.map(({ organizationId, scope, subject, limits }) => [
      organizationId,
      scope,
      cell(subject),
      cell(limits.requestsPerMinute),
      cell(limits.tokensPerMinute),
      cell(limits.tokensPerHour),
      cell(limits.costPerDayUsd),
      cell(limits.concurrentRequests),
      toOnLimitText(limits),
    ]),
    rows.map(({ budget: _, ...row }) => row),
  )
}

async function setLimits(subject: string, flags: LimitsFlags): Promise<void> {
  const { requestsPerMinute, tokensPerMinute, tokensPerHour, costPerDayUsd, concurrentRequests, onLimit } =
    flags
  const given = {
    requestsPerMinute,
    tokensPerMinute,
    tokensPerHour,
    costPerDayUsd,
    concurrentRequests,
    onLimit,
  }
  const named = Object.entries(given).filter(([, value]) => value !== undefined)
  const body = Object.fromEntries(named.map(([name, value]) => [name, lift(value)]))
  await put(subject, 'limits', body, flags, printLimits)
}

function printLimits(reply: unknown, flags: CommonFlags): void {
  const limits = reply as LimitsReply
  const rows = Object.entries(limits.state).map(([name, state]) => [
    name,
    ...(state === null
      ? ['–', '–', '–', '–', '–']
      : [state.limit, state.used, state.held, state.remaining, cell(state.resetsAt)].map(String)),
  ])
  const headings = ['kind', 'limit', 'used', 'held', 'remaining', 'resets at']
  const text = `${table(headings, rows)}\n\nAt a limit: ${toOnLimitText(limits)}`
  print({ text, json: limits, exitCode: EXIT.success }, flags.json === true)
}

function toOnLimitText({ onLimit }: Pick<LimitsSet, 'onLimit'>): string {
  return onLimit === 'reject' ? 'reject' : `wait ${onLimit.queueMs} ms, at most ${onLimit.queueMax} calls`
}

function toCount(text: string): Count {
  if (text === NONE) return text
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number, or none.')
}

function toOnLimit(text: string): NonNullable<LimitsFlags['onLimit']> {
  if (text === 'reject') return text
  const [, queueMs, queueMax] = /^(\d{1,10})\/(\d{1,6})$/.exec(text) ?? []
  if (queueMs !== undefined && queueMax !== undefined) {
    return { queueMs: Number(queueMs), queueMax: Number(queueMax) }
  }
  throw new InvalidArgumentError('Expected reject, or MILLISECONDS/CALLS such as 2000/100.')
}
