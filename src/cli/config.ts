import type { Command } from 'commander'
import { checkCommand, schemaCommand, showCommand } from '../config/commands.ts'
import { LOAD } from './open.ts'
import { print } from './output.ts'

export function addConfig(program: Command): void {
  const config = program.command('config').description('check, show or describe the configuration')
  config
    .command('check')
    .description('say whether the configuration is valid, and if not, where and why')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse config check\n  GATEHOUSE_CONFIG=staging.yaml gatehouse config check --json',
    )
    .action(async ({ json = false }: { json?: boolean }) => print(await checkCommand(LOAD), json))
  config
    .command('show')
    .description('print the configuration in force and where each value comes from; secrets stay hidden')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  gatehouse config show\n  gatehouse config show --json | jq .server')
    .action(async ({ json = false }: { json?: boolean }) => print(await showCommand(LOAD), json))
  config
    .command('schema')
    .description('print the JSON Schema of gatehouse.yaml, for editors')
    .addHelpText('after', '\nExamples:\n  gatehouse config schema > gatehouse.schema.json')
    .action(() => print(schemaCommand(), true))
}
