import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type Candidate,
  type CandidateOptions,
  startFloor,
  startGatehouse,
  startPortkey,
} from './candidates.ts'
import { type Child, startWorker } from './child.ts'
import { toFigures } from './figures.ts'
import { readMachine } from './machine.ts'
import { type Plan, parsePlan, USAGE } from './plan.ts'
import {
  othersText,
  type ReportFacts,
  renderJson,
  renderReport,
  renderStreamTable,
  renderTargets,
} from './report.ts'
import { measureAll } from './run.ts'
import { judge } from './targets.ts'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const RESULTS = 'bench/results.md'

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))

/** @returns the exit code: 0 measured, 1 could not measure, 2 wrong usage. Missed targets are figures, not failures */
async function main(args: readonly string[]): Promise<number> {
  let plan: Plan | 'help'
  try {
    plan = parsePlan(args)
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`)
    return 2
  }
  if (plan === 'help') {
    console.log(USAGE)
    return 0
  }
  try {
    const report = await runPlan(plan, args)
    writeFileSync(join(ROOT, RESULTS), renderReport(report))
    print(plan, report)
    return 0
  } catch (error) {
    console.error(messageOf(error))
    return 1
  }
}

async function runPlan(plan: Plan, args: readonly string[]): Promise<ReportFacts> {
  const startedMs = performance.now()
  const machine = readMachine(ROOT)
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  const children: Child[] = []
  const onProgress = (line: string) =>
    process.stderr.write(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${line}\n`)
  const end = endOfTime(plan.totalTimeoutMs)
  try {
    const measured = (async () => {
      const upstream = await startWorker('mock-upstream.ts')
      children.push(upstream)
      const generator = await startWorker('generator.ts')
      children.push(generator)
      const direct = {
        origin: `http://127.0.0.1:${upstream.facts.port}`,
        headers: { 'content-type': 'application/json' },
      }
      const fromSource = plan.fromSource || !(await isBuilt())
      if (fromSource && !plan.fromSource)
        onProgress('dist/ is not up to date: Gatehouse runs from its sources')
      const options = { upstream: direct.origin, root: ROOT, folder, fromSource }
      const candidates = await startAll(options, children)
      for (const { title } of candidates) onProgress(`started ${title}`)
      const run = await measureAll({ plan, candidates, generator, upstream, direct, onProgress })
      return { ...run, titles: new Map(candidates.map(({ name, title }) => [name, title])) }
    })()
    // Where time is up first, what fails in the end that follows was to be expected.
    measured.catch(() => undefined)
    const { measurements, checks, titles } = await Promise.race([measured, end.reached])
    const figures = toFigures(measurements)
    return {
      plan,
      machine,
      date: new Date().toISOString().slice(0, 10),
      command: ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
      titles,
      figures,
      targets: judge(figures),
      checks,
    }
  } finally {
    end.cancel()
    await Promise.all(children.map((child) => child.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All at once; those that did start are among the children to be ended even where another did not. */
async function startAll(options: CandidateOptions, children: Child[]): Promise<Candidate[]> {
  const results = await Promise.allSettled(
    [startFloor, startGatehouse, startPortkey].map((start) => start(options)),
  )
  const candidates = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  children.push(...candidates)
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return candidates
}

/** Whatever hangs, and whoever presses Ctrl-C: the processes that were started are ended. */
function endOfTime(totalTimeoutMs: number): { reached: Promise<never>; cancel: () => void } {
  let fail: (error: Error) => void = () => undefined
  const reached = new Promise<never>((_, reject) => {
    fail = reject
  })
  const timer = setTimeout(
    () => fail(new Error(`Not done within ${totalTimeoutMs / 1000} s, given up.`)),
    totalTimeoutMs,
  )
  const stop = () => fail(new Error('Interrupted.'))
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return {
    reached,
    cancel() {
      clearTimeout(timer)
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}

/** Whether `dist` was made from these very sources; the build script knows. */
async function isBuilt(): Promise<boolean> {
  const url = new URL('../scripts/sources.mjs', import.meta.url).href
  const sources = (await import(url)) as { isBuilt(root: string): boolean }
  return sources.isBuilt(ROOT)
}

function print(plan: Plan, report: ReportFacts): void {
  const { figures, targets, checks, machine } = report
  if (plan.json) {
    const { date } = report
    console.log(JSON.stringify({ date, quick: plan.quick, machine, targets, checks, ...figures }, null, 2))
    return
  }
  const tables = [renderTargets(targets), othersText(checks.othersShare)]
  if (figures.json.length > 0) tables.unshift(renderJson(figures))
  for (const parallel of new Set(figures.streams.map((one) => one.parallel))) {
    tables.unshift(renderStreamTable(figures.streams.filter((one) => one.parallel === parallel)))
  }
  console.log(`\n${tables.join('\n\n')}\n\nThe whole report: ${RESULTS}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
