import type { Command } from 'commander'
import { type ControlClient, openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'
import { addProviders } from './providers.ts'
import { addReconcile } from './reconcile.ts'

/** `orgs`, `keys`, `usage` and `providers`: the control API as commands. */
export function addData(program: Command): void {
  addOrganizations(program)
  addKeys(program)
  addUsage(program)
  addProviders(program)
}

type Row = Readonly<Record<string, unknown>>

interface CommonFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
}

const DRY_RUN = ['--dry-run', 'say what would be done, and do nothing'] as const
const JSON_FLAG = ['--json', 'print JSON'] as const

function addOrganizations(program: Command): void {
  const orgs = program.command('orgs').description('list and make organizations')
  orgs
    .command('list', { isDefault: true })
    .description('list organizations')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse orgs\n  gatehouse orgs list --json')
    .action((flags: CommonFlags) =>
      list(flags, '/organizations?limit=1000', ['id', 'slug', 'name', 'createdAt']),
    )
  orgs
    .command('create')
    .description('make an organization')
    .argument('<name>', 'its name')
    .option('--slug <slug>', 'short name for commands and paths')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse orgs create "Acme Ltd" --slug acme')
    .action((name: string, flags: CommonFlags & { slug?: string }) =>
      write(
        flags,
        `make the organization ${name}`,
        'POST',
        '/organizations',
        { name, slug: flags.slug },
        (row) => `${text(row, 'slug')}  ${text(row, 'id')}`,
      ),
    )
}

function addKeys(program: Command): void {
  const keys = program.command('keys').description('list, make, rotate and revoke keys of the data plane')
  keys
    .command('list', { isDefault: true })
    .description('list the keys of an organization')
    .option('--org <id or slug>', 'the organization', 'default')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse keys --org acme')
    .action((flags: CommonFlags & { org: string }) =>
      list(flags, `/organizations/${encodeURIComponent(flags.org)}/keys?limit=1000`, [
        'id',
        'prefix',
        'name',
        'user',
        'expiresAt',
        'revokedAt',
      ]),
    )
  keys
    .command('create')
    .description('make a key; it is printed once')
    .argument('<name>', 'what it is for')
    .option('--org <id or slug>', 'the organization', 'default')
    .option('--user <user>', 'end user that its calls are booked to')
    .option('--models <names>', 'names it may use, joined by commas')
    .option('--expires <time>', 'ISO 8601 time after which it is refused')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse keys create ci --org acme --models "gpt-4o*,chat"')
    .action(
      (
        name: string,
        flags: CommonFlags & { org: string; user?: string; models?: string; expires?: string },
      ) => {
        const body = {
          name,
          user: flags.user,
          models: flags.models?.split(',').map((model) => model.trim()),
          expiresAt: flags.expires,
        }
        const path = `/organizations/${encodeURIComponent(flags.org)}/keys`
        return write(flags, `make the key ${name} for ${flags.org}`, 'POST', path, body, (row) =>
          text(row, 'key'),
        )
      },
    )
  keys
    .command('rotate')
    .description('replace a key by a new one')
    .argument('<id>')
    .option('--grace <seconds>', 'how long the old key stays valid', '0')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse keys rotate 0199… --grace 3600')
    .action((id: string, flags: CommonFlags & { grace: string }) =>
      write(
        flags,
        `rotate the key ${id}`,
        'POST',
        `/keys/${encodeURIComponent(id)}/rotate`,
        { graceSeconds: Number(flags.grace) },
        (row) => text(row, 'key'),
      ),
    )
  keys
    .command('revoke')
    .description('revoke a key: refused everywhere within a second')
    .argument('<id>')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse keys revoke 0199…')
    .action((id: string, flags: CommonFlags) =>
      write(
        flags,
        `revoke the key ${id}`,
        'DELETE',
        `/keys/${encodeURIComponent(id)}`,
        undefined,
        () => `${id} revoked`,
      ),
    )
}

function addUsage(program: Command): void {
  const usage = program
    .command('usage')
    .description('what was spent, by whom, on what')
    .option(
      '--by <groups>',
      'organization, team, key, user, session, provider, model, operation, task, tag:NAME',
      'model',
    )
    .option('--org <id>', 'one organization only')
    .option('--from <time>', 'ISO 8601, inclusive; default: the start of this month')
    .option('--to <time>', 'ISO 8601, exclusive; default: now')
    .option('--interval <interval>', 'hour, day or month')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse usage\n  gatehouse usage --by organization,model --interval day',
    )
    .action(
      (flags: CommonFlags & { by: string; org?: string; from?: string; to?: string; interval?: string }) => {
        const query = new URLSearchParams({ groupBy: flags.by })
        if (flags.org !== undefined) query.set('organizationId', flags.org)
        for (const name of ['from', 'to', 'interval'] as const) {
          const value = flags[name]
          if (value !== undefined) query.set(name, value)
        }
        const columns = [...flags.by.split(','), ...(flags.interval === undefined ? [] : ['periodStart'])]
        return list(flags, `/usage?${query}`, [
          ...columns,
          'requests',
          'errors',
          'tokensInput',
          'tokensOutput',
          'costUsd',
          'estimated',
        ])
      },
    )
  addReconcile(usage)
}

async function list(flags: CommonFlags, path: string, columns: readonly string[]): Promise<void> {
  await withControl(async (control) => {
    const { data } = (await control.call('GET', path)) as { data: readonly Row[] }
    const rows = data.map((row) => columns.map((column) => text(row, column)))
    print(
      { text: rows.length === 0 ? 'Nothing yet.' : table(columns, rows), json: data, exitCode: EXIT.success },
      flags.json === true,
    )
  })
}

async function write(
  flags: CommonFlags,
  intent: string,
  method: 'POST' | 'DELETE',
  path: string,
  body: unknown,
  toText: (row: Row) => string,
): Promise<void> {
  if (flags.dryRun === true) {
    print(
      { text: `Would ${intent}.`, json: { dryRun: true, method, path, body }, exitCode: EXIT.success },
      flags.json === true,
    )
    return
  }
  await withControl(async (control) => {
    const row = ((await control.call(method, path, body)) ?? {}) as Row
    print({ text: toText(row), json: row, exitCode: EXIT.success }, flags.json === true)
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

function text(row: Row, column: string): string {
  const value = row[column]
  return value === null || value === undefined ? '–' : String(value)
}
