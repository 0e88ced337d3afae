import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startGatehouse } from './candidates.ts'
import { type Child, startWorker } from './child.ts'
import { openInspector } from './inspector.ts'
import { withCost } from './measure.ts'
import type { GeneratorOrder, LoadResult, StreamResult, Target } from './orders.ts'
import { toCosts } from './profile-costs.ts'
import { readThreads } from './threads.ts'

/**
 * Says where a call spends its CPU time: `node bench/profile.ts [--stream] [--seconds 10] [--save FILE]`. Runs
 * Gatehouse from its sources under the load of the benchmark, with the profiler switched on after the warm-up.
 */

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const SAMPLING_US = 250
const WARM_UP_MS = 10_000
const ORDER_GRACE_MS = 60_000
const ROWS_SHOWN = 45
const PACE = { firstPieceMs: 200, gapMs: 20, pieces: 40 }
const PARALLEL = 100

if (import.meta.main) await main()

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stream: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '10' },
      save: { type: 'string' },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-profile-'))
  const children: Child[] = []
  try {
    const upstream = await startWorker('mock-upstream.ts')
    children.push(upstream)
    const generator = await startWorker('generator.ts')
    children.push(generator)
    const gatehouse = await startGatehouse({
      upstream: `http://127.0.0.1:${upstream.facts.port}`,
      root: ROOT,
      folder,
      fromSource: true,
      nodeFlags: ['--inspect=127.0.0.1:0'],
    })
    children.push(gatehouse)
    await upstream.order({ kind: 'pace', pace: PACE }, ORDER_GRACE_MS)

    const load = async (durationMs: number): Promise<number> => {
      const order = toOrder(gatehouse.target, values.stream, durationMs)
      const result = await generator.order<LoadResult | StreamResult>(order, durationMs + ORDER_GRACE_MS)
      return 'calls' in result ? result.calls : result.pieces
    }
    await load(WARM_UP_MS)
    const inspector = await openInspector(gatehouse.inspectorUrl ?? '')
    await inspector.start(SAMPLING_US)
    const threadsBefore = readThreads(gatehouse.pid)
    const { result: units, cost } = await withCost(gatehouse.pid, gatehouse.bookedCalls, () =>
      load(Number(values.seconds) * 1000),
    )
    const threadsAfter = readThreads(gatehouse.pid)
    const profiles = await inspector.stop()
    inspector.close()

    const unit = values.stream ? 'chunk' : 'call'
    console.log(
      `${units} ${unit}s, ${((cost.cpuMs * 1000) / units).toFixed(1)} µs of CPU each (the profiler's own included)\n`,
    )
    printTable(`Threads, µs per ${unit}`, changes(threadsBefore, threadsAfter), units / 1000)
    profiles.forEach((profile, index) => {
      const { busyUs, moduleUs, selfUs, totalUs } = toCosts(profile, ROOT)
      console.log(
        `\n# ${index === 0 ? 'Main thread' : `Worker ${index}`}: ${(busyUs / units).toFixed(1)} µs per ${unit}\n`,
      )
      printTable('By module, itself', moduleUs, units)
      printTable('By function, itself', selfUs, units)
      printTable('By function, with what it calls', totalUs, units)
      if (values.save !== undefined)
        writeFileSync(`${values.save}.${index}.cpuprofile`, JSON.stringify(profile))
    })
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

function toOrder(target: Target, stream: boolean, durationMs: number): GeneratorOrder {
  return stream
    ? { kind: 'streams', target, parallel: PARALLEL, windowMs: durationMs, pace: PACE }
    : { kind: 'closed', target, connections: 32, durationMs }
}

function changes(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Map<string, number> {
  return new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)]))
}

function printTable(title: string, values: ReadonlyMap<string, number>, units: number): void {
  console.log(`## ${title}\n`)
  const rows = [...values].sort(([, first], [, second]) => second - first).slice(0, ROWS_SHOWN)
  for (const [name, value] of rows) {
    if (value / units >= 0.05) console.log(`${(value / units).toFixed(2).padStart(9)}  ${name}`)
  }
  console.log()
}
