import { writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { GatewayError } from '../core/errors.ts'
import { type ControlClient, openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'

interface Flags {
  readonly month: string
  readonly format: 'table' | 'csv' | 'json' | 'focus' | 'pdf'
  readonly org?: string
  readonly output?: string
  readonly focusVersion?: string
  readonly verify?: boolean
  readonly close?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

type Row = Readonly<Record<string, unknown>>

/** `cost-allocation`: statements of a month, its closing, and whether it still agrees with the ledger. */
export function addCostAllocation(program: Command): void {
  program
    .command('cost-allocation')
    .description('what each organization owes for a month, and for what')
    .requiredOption('--month <month>', 'calendar month in UTC, for example 2026-02')
    .addOption(
      new Option('--format <format>', 'how to print it')
        .choices(['table', 'csv', 'json', 'focus', 'pdf'])
        .default('table'),
    )
    .option('--org <id or slug>', 'one organization only')
    .option('--output <file>', 'write into a file instead of printing')
    .addOption(new Option('--focus-version <version>', 'of the FOCUS specification').choices(['1.2', '1.3']))
    .option('--close', 'close the month for all organizations: its statements never change again')
    .option('--verify', 'add a closed month up again from the ledger and say where it differs')
    .option('--dry-run', 'with --close: say what would be done, and do nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse cost-allocation --month 2026-02
  gatehouse cost-allocation --month 2026-02 --org acme --format pdf --output acme.pdf
  gatehouse cost-allocation --month 2026-02 --format focus --output focus.csv
  gatehouse cost-allocation --month 2026-02 --close
  gatehouse cost-allocation --month 2026-02 --verify`,
    )
    .action(run)
}

async function run(flags: Flags): Promise<void> {
  const control = await openControl()
  try {
    if (flags.close === true) await close(control, flags)
    else if (flags.verify === true) await verify(control, flags)
    else if (flags.format === 'table' && flags.json !== true) await printTable(control, flags)
    else if (flags.format === 'table' || flags.format === 'json') await writeJson(control, flags)
    else await writeReport(control, flags)
  } finally {
    await control.close()
  }
}

async function close(control: ControlClient, { month, dryRun, json = false }: Flags): Promise<void> {
  if (dryRun === true) {
    const { totals } = (await control.call('GET', pathOf({ month, format: 'json', limit: '1' }))) as {
      totals: Row
    }
    print(
      {
        text: `Would close ${month}: ${String(totals.costUsd)} USD in ${String(totals.requests)} calls.`,
        json: { dryRun: true, month, totals },
        exitCode: EXIT.success,
      },
      json,
    )
    return
  }
  const done = (await control.call('POST', '/reports/close', { month })) as Row & { totals: Row }
  const what = done.alreadyClosed === true ? 'was closed before' : 'is closed'
  print(
    {
      text:
        `${month} ${what}: ${String(done.statements)} statements, ${String(done.totals.costUsd)} USD.\n` +
        `Frozen ${String(done.closedAt)}, checksum ${String(done.checksum)}`,
      json: done,
      exitCode: EXIT.success,
    },
    json,
  )
}

interface Replay {
  readonly equal: boolean
  readonly statements: number
  readonly differentCount: number
  readonly different: readonly {
    readonly organizationId: string
    readonly differences: readonly Row[]
    readonly differenceCount: number
  }[]
}

async function verify(control: ControlClient, { month, org, json = false }: Flags): Promise<void> {
  const replay = (await control.call('POST', '/reports/replay', {
    month,
    organizationId: org,
  })) as Replay
  const rows = replay.different.flatMap(({ organizationId, differences }) =>
    differences.map((row) => [
      organizationId,
      ...['breakdown', 'id', 'field', 'closed', 'ledger', 'differenceUsd'].map((name) => text(row, name)),
    ]),
  )
  const headings = ['organization', 'breakdown', 'id', 'field', 'closed', 'ledger', 'difference USD']
  print(
    {
      text: replay.equal
        ? `Equal: ${replay.statements} statements of ${month} are what the ledger says, to the nano-dollar.`
        : `${replay.differentCount} of ${replay.statements} statements of ${month} differ from the ledger.\n\n${table(headings, rows)}`,
      json: replay,
      exitCode: replay.equal ? EXIT.success : EXIT.problem,
    },
    json,
  )
}

const FIGURES = ['requests', 'tokensInput', 'tokensOutput', 'tokensCached', 'costUsd', 'estimatedShare']
const BREAKDOWNS = ['team', 'key', 'user', 'model', 'operation', 'task', 'deal', 'cycle']
/** Longer breakdowns belong into a file. */
const LINES_SHOWN = 20

interface ShownStatement extends Row {
  readonly totals: Row
  readonly breakdowns: Readonly<Record<string, readonly Row[]>>
  readonly adjustments: readonly Row[]
}

async function printTable(control: ControlClient, flags: Flags): Promise<void> {
  const parts: string[] = []
  for await (const statement of eachStatement(control, flags)) parts.push(describe(statement))
  const output = parts.length === 0 ? 'Nothing yet.' : parts.join('\n\n\n')
  if (flags.output !== undefined) await save(flags.output, Buffer.from(`${output}\n`))
  else print({ text: output, json: null, exitCode: EXIT.success }, false)
}

async function* eachStatement(control: ControlClient, { month, org }: Flags): AsyncGenerator<ShownStatement> {
  if (org !== undefined) {
    yield (await control.call(
      'GET',
      pathOf({ month, format: 'json', organizationId: org }),
    )) as ShownStatement
    return
  }
  for (let cursor: string | null = null; ; ) {
    const query: Record<string, string> = { month, format: 'json', ...(cursor === null ? {} : { cursor }) }
    const page = (await control.call('GET', pathOf(query))) as {
      data: readonly ShownStatement[]
      nextCursor: string | null
    }
    yield* page.data
    cursor = page.nextCursor
    if (cursor === null) return
  }
}

function describe(statement: ShownStatement): string {
  const { totals, breakdowns, adjustments } = statement
  const status =
    statement.status === 'closed' ? `closed ${text(statement, 'closedAt')}` : `${text(statement, 'status')}`
  const lines = BREAKDOWNS.flatMap((name) => {
    const all = breakdowns[name] ?? []
    if (all.every((line) => line.id === null && line.others === undefined)) return []
    const shown = all.slice(0, LINES_SHOWN)
    const rows = shown.map((line) => [nameOf(line), ...FIGURES.map((figure) => text(line, figure))])
    const more =
      all.length > shown.length ? `\n… and ${all.length - shown.length} more: see --format csv` : ''
    return [`${table([name, ...FIGURES], rows)}${more}`]
  })
  return [
    `${text(statement, 'organizationName')}  ${text(statement, 'month')}  ${status}`,
    table(
      ['total', ...FIGURES],
      [[text(statement, 'organizationId'), ...FIGURES.map((figure) => text(totals, figure))]],
    ),
    ...lines,
    ...(adjustments.length === 0
      ? []
      : [
          table(
            ['adjustment of', ...FIGURES],
            adjustments.map((line) => [text(line, 'month'), ...FIGURES.map((figure) => text(line, figure))]),
          ),
        ]),
    ...(statement.checksum === undefined ? [] : [`SHA-256 ${text(statement, 'checksum')}`]),
  ].join('\n\n')
}

function nameOf(line: Row): string {
  return line.others === undefined ? text(line, 'name') : `${String(line.others)} others`
}

async function writeJson(control: ControlClient, flags: Flags): Promise<void> {
  const { month, org, output } = flags
  const found =
    org === undefined
      ? await allPages(control, flags)
      : await control.call('GET', pathOf({ month, format: 'json', organizationId: org }))
  if (output !== undefined) await save(output, Buffer.from(`${JSON.stringify(found, null, 2)}\n`))
  else print({ text: '', json: found, exitCode: EXIT.success }, true)
}

async function allPages(control: ControlClient, flags: Flags): Promise<unknown> {
  const head = (await control.call('GET', pathOf({ month: flags.month, format: 'json', limit: '1' }))) as Row
  const data: ShownStatement[] = []
  for await (const statement of eachStatement(control, flags)) data.push(statement)
  return { ...head, data, nextCursor: null }
}

async function writeReport(control: ControlClient, flags: Flags): Promise<void> {
  const { month, org, format, focusVersion, output } = flags
  if (format === 'pdf' && output === undefined && process.stdout.isTTY) {
    throw new GatewayError('invalid_request', {
      message: 'A PDF cannot be shown on a terminal: name a file with --output.',
      param: 'output',
    })
  }
  const query = {
    month,
    format,
    encoding: 'base64',
    ...(org === undefined ? {} : { organizationId: org }),
    ...(focusVersion === undefined ? {} : { focusVersion }),
  }
  const { base64 } = (await control.call('GET', pathOf(query))) as { base64: string }
  const bytes = Buffer.from(base64, 'base64')
  if (output !== undefined) await save(output, bytes)
  else await new Promise<void>((resolve) => process.stdout.write(bytes, () => resolve()))
}

async function save(file: string, bytes: Buffer): Promise<void> {
  await writeFile(file, bytes)
  process.stdout.write(`Wrote ${file}, ${bytes.length} bytes.\n`)
}

function pathOf(query: Readonly<Record<string, string>>): string {
  return `/reports/cost-allocation?${new URLSearchParams(query)}`
}

function text(row: Row, name: string): string {
  const value = row[name]
  return value === null || value === undefined ? '–' : String(value)
}
