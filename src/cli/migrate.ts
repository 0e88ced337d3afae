import { type Command, InvalidArgumentError } from 'commander'
import { migrateCommand } from '../storage/commands.ts'
import { load, openConfigured } from './open.ts'
import { print } from './output.ts'

interface MigrateFlags {
  readonly to?: number
  readonly dryRun?: boolean
  readonly json?: boolean
}

const ACTIONS = [
  ['status', 'which migrations are applied', false],
  ['plan', 'the statements that are due, with the lock each takes', false],
  ['up', 'apply what is due', true],
  ['down', 'take the newest migration back', true],
] as const

export function addMigrate(program: Command): void {
  const migrate = program.command('migrate').description('bring the database up to date, or back')
  for (const [action, description, writes] of ACTIONS) {
    const command = migrate.command(action).description(description).option('--json', 'print JSON')
    if (action !== 'status') command.option('--to <version>', 'version to reach', toVersion)
    if (writes) command.option('--dry-run', 'say what would be done, and do nothing')
    command
      .addHelpText(
        'after',
        `\nExamples:\n  gatehouse migrate ${action}\n  gatehouse migrate ${action} --json`,
      )
      .action(async ({ to, dryRun = false, json = false }: MigrateFlags) => {
        const database = await openConfigured(await load())
        try {
          print(await migrateCommand(database, { action, to, dryRun }), json)
        } finally {
          await database.close()
        }
      })
  }
}

function toVersion(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It has to be a whole number.')
}
