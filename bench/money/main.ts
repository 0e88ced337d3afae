import { loadavg } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MODEL, PRICES } from '../../test/money/replicas.ts'
import { type Served, startServed } from '../../test/money/served.ts'
import { readMachine } from '../machine.ts'
import { admissionRows, type CostRow, redisRows } from './cost.ts'
import { HEAD, type Outcome, toCells, wrongWith } from './outcome.ts'
import { type Ground, SCENARIOS, type Scenario } from './scenarios.ts'
import { type Stores, startStores } from './stores.ts'
import { table } from './table.ts'

const USAGE = `node bench/money/main.ts [options]

Holds calls against budgets in real processes, breaks what can break, and compares what was spent with what was allowed.
Prints a table; ends with 1 where a budget was overrun, a row lost or doubled, or something stays held.

  --quick        few scenarios, one kill, costs up to 1,000 organizations: under a minute on a calm machine
  --rounds N     how often a process is killed (3)
  --away S       for how many seconds PostgreSQL is away (5)
  --only TEXT    scenarios whose name has this in it; no costs
  --no-cost      no costs`

/** After this time everything is ended, whatever hangs. */
const TOTAL_MS_MAX = 3_600_000
/** Of --quick, on two replicas. */
const QUICK = [
  'whole answers',
  'streams, half of the clients leave',
  'Redis is emptied',
  'a replica is killed',
]

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))

interface Plan {
  readonly quick: boolean
  readonly rounds: number
  readonly awayMs: number
  readonly only: string | undefined
  readonly cost: boolean
}

interface Line {
  readonly name: string
  readonly outcome: Outcome
}

/** @returns the exit code: 0 all is well, 1 something is not as it has to be, 2 wrong usage */
async function main(args: readonly string[]): Promise<number> {
  let plan: Plan | undefined
  try {
    plan = toPlan(args)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    return 2
  }
  if (plan === undefined) {
    console.log(USAGE)
    return 0
  }
  const closers: (() => unknown)[] = []
  const timer = setTimeout(() => process.exit(1), TOTAL_MS_MAX)
  try {
    return await run(plan, closers)
  } finally {
    clearTimeout(timer)
    for (const close of closers.reverse()) await close()
  }
}

function toPlan(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      away: { type: 'string' },
      only: { type: 'string' },
      'no-cost': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    quick: values.quick,
    rounds: toCount('--rounds', values.rounds, values.quick ? 1 : 3),
    awayMs: toCount('--away', values.away, 5) * 1000,
    only: values.only,
    cost: !values['no-cost'] && values.only === undefined,
  }
}

function toCount(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${name} is a whole number from 1 to 9999.`)
  return Number(text)
}

async function run(plan: Plan, closers: (() => unknown)[]): Promise<number> {
  const loadBefore = loadavg()[0] ?? 0
  const stores = await startStores(closers)
  if (stores === undefined) {
    console.error('PostgreSQL 15 and Redis have to be installed.')
    return 1
  }
  const lines: Line[] = []
  if (!plan.quick) lines.push(...(await runAll('embedded', plan, stores, 0, closers)))
  lines.push(...(await runAll('2 replicas', plan, stores, 2, closers)))
  const costs: CostRow[] = []
  if (plan.cost) {
    say('costs')
    costs.push(...(await admissionRows(plan.quick ? [10, 1000] : [10, 1000, 1_000_000])))
    costs.push(...(await redisRows(stores, closers)))
  }
  print(lines, costs, loadBefore)
  const wrong = lines.flatMap(({ name, outcome }) => wrongWith(outcome).map((what) => `${name}: ${what}`))
  for (const what of wrong) console.error(`✗ ${what}`)
  return wrong.length === 0 ? 0 : 1
}

/** @param replicas 0 = one process with everything inside */
async function runAll(
  where: string,
  plan: Plan,
  stores: Stores,
  replicas: number,
  closers: (() => unknown)[],
): Promise<Line[]> {
  const due = SCENARIOS.filter((scenario) => isDue(scenario, plan, replicas > 0))
  if (due.length === 0) return []
  const shared = { databaseUrl: stores.databaseUrl, redisUrl: stores.server.url }
  const served: Served = await startServed(
    {
      simulatorUrl: stores.simulatorUrl,
      ...(replicas > 0 ? shared : {}),
      replicas: Math.max(1, replicas),
      config: { prices: PRICES, limits: { default: { requestsPerMinute: null, tokensPerHour: null } } },
    },
    MODEL,
  )
  closers.push(served.close)
  const ground: Ground = {
    served,
    stores: replicas > 0 ? stores : undefined,
    rounds: plan.rounds,
    awayMs: plan.awayMs,
  }
  const lines: Line[] = []
  for (const scenario of due) {
    const name = `${where}: ${scenario.name}`
    say(name)
    const outcome = await scenario.run(ground)
    lines.push({ name, outcome })
    say(`  ${toCells('', outcome).slice(1).join('  ')}`)
  }
  await served.close()
  return lines
}

function isDue({ name, needs }: Scenario, { quick, only }: Plan, isShared: boolean): boolean {
  if (needs === 'stores' && !isShared) return false
  // The same, but for what is left beside it.
  if (name === 'the process is killed' && isShared) return false
  if (only !== undefined) return name.includes(only)
  return !quick || QUICK.includes(name)
}

function print(lines: readonly Line[], costs: readonly CostRow[], loadBefore: number): void {
  const { processor, cores, node, commit } = readMachine(
    dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  )
  console.log(
    `${cores} cores (${processor}), Node ${node}, commit ${commit}; load of the machine before: ${loadBefore.toFixed(1)}\n`,
  )
  console.log(
    table(
      HEAD,
      lines.map(({ name, outcome }) => toCells(name, outcome)),
    ),
  )
  if (costs.length === 0) return
  console.log(
    `\n${table(
      ['cost', 'figure'],
      costs.map(({ name, figure }) => [name, figure]),
    )}`,
  )
}

/** Progress. */
function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
