import { InvalidArgumentError } from 'commander'
import type { BudgetSet, LimitsSet } from '../contract/limits.ts'
import { GatewayError } from '../core/errors.ts'
import { type ControlClient, openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'
import { toSubjectPath } from './policy-subject.ts'

/** What `budgets` and `limits` share: both are set on the same subjects, through the same API. */

export const DRY_RUN = ['--dry-run', 'say what would be done, and do nothing'] as const
export const JSON_FLAG = ['--json', 'print JSON'] as const
/** For a value that lifts a limit; commander takes no null from its parsers. */
export const NONE = 'none'

export interface CommonFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
}

export interface ListFlags extends CommonFlags {
  readonly org?: string
}

export interface PolicyRow {
  readonly organizationId: string
  readonly scope: string
  readonly subject: string | null
  readonly limits: LimitsSet | null
  readonly budget: BudgetSet | null
}

export async function policiesOf({ org }: ListFlags): Promise<PolicyRow[]> {
  return withControl(async (control) => {
    const rows: PolicyRow[] = []
    const organizations =
      org === undefined ? await all<{ readonly id: string }>(control, '/organizations') : [{ id: org }]
    for (const { id } of organizations) {
      rows.push(...(await all<PolicyRow>(control, `/organizations/${encodeURIComponent(id)}/policies`)))
    }
    return rows
  })
}

async function all<Row>(control: ControlClient, path: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor: string | null = null; ; ) {
    const query = new URLSearchParams({ limit: '1000', ...(cursor === null ? {} : { cursor }) })
    const page = (await control.call('GET', `${path}?${query}`)) as {
      readonly data: readonly Row[]
      readonly nextCursor: string | null
    }
    rows.push(...page.data)
    cursor = page.nextCursor
    if (cursor === null) return rows
  }
}

export async function show(
  subject: string,
  what: 'limits' | 'budget',
  flags: CommonFlags,
  printReply: (reply: unknown, flags: CommonFlags) => void,
): Promise<void> {
  const path = `${toSubjectPath(subject)}/${what}`
  await withControl(async (control) => printReply(await control.call('GET', path), flags))
}

export async function put(
  subject: string,
  what: 'limits' | 'budget',
  body: object,
  flags: CommonFlags,
  printReply: (reply: unknown, flags: CommonFlags) => void,
): Promise<void> {
  const path = `${toSubjectPath(subject)}/${what}`
  if (Object.keys(body).length === 0) {
    throw new GatewayError('invalid_request', {
      message: 'Nothing to set: name at least one option (see --help).',
    })
  }
  if (flags.dryRun === true) {
    const text = `Would set the ${what} of ${subject}: ${JSON.stringify(body)}`
    print(
      { text, json: { dryRun: true, method: 'PUT', path, body }, exitCode: EXIT.success },
      flags.json === true,
    )
    return
  }
  await withControl(async (control) => printReply(await control.call('PUT', path, body), flags))
}

export async function remove(subject: string, what: 'limits' | 'budget', flags: CommonFlags): Promise<void> {
  const path = `${toSubjectPath(subject)}/${what}`
  const json = { ...(flags.dryRun === true ? { dryRun: true } : {}), method: 'DELETE', path }
  if (flags.dryRun !== true) await withControl((control) => control.call('DELETE', path))
  const text = `${flags.dryRun === true ? 'Would take away' : 'Took away'} the ${what} of ${subject}.`
  print({ text, json, exitCode: EXIT.success }, flags.json === true)
}

export function printRows(
  flags: CommonFlags,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  json: unknown,
): void {
  const text = rows.length === 0 ? 'Nothing yet.' : table(headings, rows)
  print({ text, json, exitCode: EXIT.success }, flags.json === true)
}

async function withControl<Result>(
  work: (control: ControlClient) => Promise<Result> | Result,
): Promise<Result> {
  const control = await openControl()
  try {
    return await work(control)
  } finally {
    await control.close()
  }
}

/** @returns the value as the API takes it: `null` = no limit */
export function lift<Value>(value: Value): Exclude<Value, typeof NONE> | null {
  return value === NONE ? null : (value as Exclude<Value, typeof NONE>)
}

export function cell(value: string | number | null): string {
  return value === null ? '–' : String(value)
}

export function toUsd(text: string): string {
  if (text === NONE || /^\d{1,7}(\.\d{1,9})?$/.test(text)) return text
  throw new InvalidArgumentError('Expected US dollars with at most nine decimals, or none.')
}
