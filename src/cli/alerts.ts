import { type Command, Option } from 'commander'
import { type ControlClient, openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'

type Row = Readonly<Record<string, unknown>>

interface ListFlags {
  readonly status: string
  readonly org?: string
  readonly kind?: string
  readonly severity?: string
  readonly limit: string
  readonly json?: boolean
}

interface ChangeFlags {
  readonly note?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface TestFlags {
  readonly channel?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

const DRY_RUN = ['--dry-run', 'say what would be done, and do nothing'] as const
const JSON_FLAG = ['--json', 'print JSON'] as const

/** `alerts`: see them, say that somebody cares, end them, try the channels. */
export function addAlerts(program: Command): void {
  const alerts = program
    .command('alerts')
    .description('list, acknowledge and resolve alerts; try the channels')
  alerts.addHelpText(
    'after',
    '\nExamples:\n  gatehouse alerts\n  gatehouse alerts --severity high --json\n  gatehouse alerts ack 0199… --note "on it"\n  gatehouse alerts test',
  )
  alerts
    .command('list', { isDefault: true })
    .description('list alerts, newest first')
    .addOption(
      new Option('--status <status>', 'which')
        .choices(['active', 'acknowledged', 'resolved', 'all'])
        .default('active'),
    )
    .option('--org <id or slug>', 'one organization only')
    .option('--kind <kind>', 'budget_threshold, hourly_cost, daily_cost, spend_anomaly, unknown_price …')
    .addOption(
      new Option('--severity <severity>', 'one severity only').choices(['low', 'medium', 'high', 'critical']),
    )
    .option('--limit <number>', 'at most so many', '50')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse alerts\n  gatehouse alerts list --status all --org acme\n  gatehouse alerts --severity high --json',
    )
    .action(list)
  addChange(alerts, 'ack', 'acknowledge', 'say that somebody looks after an alert')
  addChange(alerts, 'resolve', 'resolve', 'end an alert; the channels are told')
  alerts
    .command('test')
    .description('send a test message through the channels; exit code 1 where one does not take it')
    .option('--channel <name>', 'one channel only')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse alerts test\n  gatehouse alerts test --channel slack')
    .action(test)
}

async function list(flags: ListFlags): Promise<void> {
  const query = new URLSearchParams({ limit: flags.limit })
  if (flags.status !== 'all') query.set('status', flags.status)
  if (flags.org !== undefined) query.set('organizationId', flags.org)
  if (flags.kind !== undefined) query.set('kind', flags.kind)
  if (flags.severity !== undefined) query.set('severity', flags.severity)
  await withControl(async (control) => {
    const { data } = (await control.call('GET', `/alerts?${query}`)) as { data: readonly Row[] }
    const columns = ['raisedAt', 'severity', 'status', 'id', 'title']
    const rows = data.map((row) => columns.map((column) => String(row[column] ?? '–')))
    const text = rows.length === 0 ? 'No alerts.' : table(columns, rows)
    print({ text, json: data, exitCode: EXIT.success }, flags.json === true)
  })
}

function addChange(
  alerts: Command,
  word: string,
  action: 'acknowledge' | 'resolve',
  description: string,
): void {
  alerts
    .command(word)
    .description(description)
    .argument('<id>', 'of the alert')
    .option('--note <text>', 'kept with it')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', `\nExamples:\n  gatehouse alerts ${word} 0199… --note "raised the budget"`)
    .action(async (id: string, { note, dryRun, json = false }: ChangeFlags) => {
      const path = `/alerts/${encodeURIComponent(id)}`
      await withControl(async (control) => {
        // A dry run finds out whether there is such an alert.
        const row = (
          dryRun === true
            ? await control.call('GET', path)
            : await control.call('POST', `${path}/${action}`, note === undefined ? {} : { note })
        ) as Row
        const what = dryRun === true ? `Would ${action}` : String(row.status)
        print({ text: `${what}: ${String(row.title)}`, json: row, exitCode: EXIT.success }, json)
      })
    })
}

async function test({ channel, dryRun, json = false }: TestFlags): Promise<void> {
  await withControl(async (control) => {
    if (dryRun === true) {
      const { data } = (await control.call('GET', '/alerts/channels')) as { data: readonly Row[] }
      const chosen = data.filter(({ name }) => channel === undefined || name === channel)
      const names = chosen.map(({ name }) => String(name)).join(', ')
      print(
        { text: `Would send a test message to: ${names || 'nobody'}.`, json: chosen, exitCode: EXIT.success },
        json,
      )
      return
    }
    const body = channel === undefined ? {} : { channel }
    const { data } = (await control.call('POST', '/alerts/test', body)) as { data: readonly Row[] }
    const rows = data.map((row) => [
      String(row.channel),
      String(row.kind),
      row.ok === true ? 'sent' : String(row.error),
    ])
    const exitCode = data.every(({ ok }) => ok === true) ? EXIT.success : EXIT.problem
    print({ text: table(['channel', 'kind', 'result'], rows), json: data, exitCode }, json)
  })
}

async function withControl(work: (control: ControlClient) => Promise<void>): Promise<void> {
  const control = await openControl()
  try {
    await work(control)
  } finally {
    await control.close()
  }
}
