import type { Command } from 'commander'
import type { ProviderState } from '../contract/providers.ts'
import { openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'

interface ListFlags {
  readonly json?: boolean
}

interface OrderFlags extends ListFlags {
  readonly dryRun?: boolean
}

const JSON_FLAG = ['--json', 'print JSON'] as const
const DRY_RUN = ['--dry-run', 'say what would be done, and do nothing'] as const

/** `providers`: how they are, and their breakers. */
export function addProviders(program: Command): void {
  const providers = program
    .command('providers')
    .description('providers as real traffic found them, and their circuit breakers')
  providers
    .command('list', { isDefault: true })
    .description('list providers with their breakers, and the models that are kept from calls')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse providers\n  gatehouse providers list --json')
    .action(list)
  providers
    .command('reset')
    .description('close the breaker of a provider and those of its models, and end their pauses')
    .argument('<name>', 'the provider')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  gatehouse providers reset openai')
    .action((name: string, flags: OrderFlags) => order(name, 'closed', flags))
  providers
    .command('open')
    .description('hold the breaker of a provider open: no calls until it is reset')
    .argument('<name>', 'the provider')
    .option(...DRY_RUN)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse providers open openai --dry-run\n  gatehouse providers open openai',
    )
    .action((name: string, flags: OrderFlags) => order(name, 'open', flags))
}

const HEADINGS = [
  'name',
  'kind',
  'health',
  'breaker',
  'failures',
  'calls',
  'errors',
  'p50 ms',
  'p95 ms',
  'note',
]

async function list(flags: ListFlags): Promise<void> {
  const { data } = (await call('GET', '/providers')) as { data: readonly ProviderState[] }
  const text = data.length === 0 ? 'Nothing yet.' : table(HEADINGS, data.flatMap(toRows))
  print({ text, json: data, exitCode: EXIT.success }, flags.json === true)
}

async function order(name: string, state: 'closed' | 'open', flags: OrderFlags): Promise<void> {
  const path = `/providers/${encodeURIComponent(name)}/breaker`
  if (flags.dryRun === true) {
    // A name that is wrong is wrong before anything is done, too.
    const { breaker } = (await call('GET', `/providers/${encodeURIComponent(name)}`)) as ProviderState
    const verb = state === 'closed' ? 'close' : 'hold open'
    print(
      {
        text: `Would ${verb} the breaker of ${name}, which is ${breaker.state}.`,
        json: { dryRun: true, method: 'POST', path, body: { state } },
        exitCode: EXIT.success,
      },
      flags.json === true,
    )
    return
  }
  const provider = (await call('POST', path, { state })) as ProviderState
  print(
    { text: `${name}: ${provider.breaker.state}`, json: provider, exitCode: EXIT.success },
    flags.json === true,
  )
}

/** The provider itself, and below it the models that have something to say. */
function toRows(provider: ProviderState): string[][] {
  const { name, kind, breaker, targets } = provider
  const rows = [toRow(name, kind, provider.health, breaker, provider)]
  for (const { model, ...own } of breaker.targets) {
    const target = targets.find((each) => each.model === model)
    rows.push(toRow(`  ${model}`, '', target?.health ?? 'unknown', own, target))
  }
  return rows
}

function toRow(
  name: string,
  kind: string,
  health: string,
  breaker: Partial<ProviderState['breaker']>,
  traffic: Pick<ProviderState, 'calls' | 'errors' | 'latencyMs'> | undefined,
): string[] {
  const { state, failures, reason, until, pausedUntil, heldByOperator } = breaker
  const notes = [
    reason,
    until === undefined ? undefined : `until ${until}`,
    pausedUntil === undefined ? undefined : `rate-limited until ${pausedUntil}`,
    heldByOperator === true && reason === undefined ? 'held open' : undefined,
  ]
  const { calls, errors, latencyMs } = traffic ?? {}
  const cells = [name, kind, health, state, failures, calls, errors, latencyMs?.p50, latencyMs?.p95]
  return [...cells.map((value) => String(value ?? '–')), notes.filter(Boolean).join(', ')]
}

async function call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  const control = await openControl()
  try {
    return await control.call(method, path, body)
  } finally {
    await control.close()
  }
}
