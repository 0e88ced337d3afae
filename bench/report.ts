import { type Figures, type JsonFigures, jsonOf, type StreamFigures } from './figures.ts'
import type { MachineFacts } from './machine.ts'
import type { Subject } from './measure.ts'
import type { Plan } from './plan.ts'
import type { Checks } from './run.ts'
import type { TargetResult } from './targets.ts'

export interface ReportFacts {
  readonly plan: Plan
  readonly machine: MachineFacts
  /** The day of the run, ISO 8601. */
  readonly date: string
  readonly command: string
  /** What each candidate is, in which version. */
  readonly titles: ReadonlyMap<Subject, string>
  readonly figures: Figures
  readonly targets: readonly TargetResult[]
  readonly checks: Checks
}

/** @returns the report as Markdown; everything a reader needs to judge it and to repeat it */
export function renderReport(facts: ReportFacts): string {
  const { figures, plan } = facts
  return `${[
    '# Benchmark',
    renderIntroduction(facts),
    '## Targets',
    renderTargets(facts.targets),
    ...(figures.json.length === 0 ? [] : ['## JSON calls', renderJson(figures)]),
    ...[...new Set(figures.streams.map(({ parallel }) => parallel))].flatMap((parallel) => [
      `## ${parallel} parallel streams`,
      renderStreams(
        figures.streams.filter((one) => one.parallel === parallel),
        plan,
        parallel,
      ),
    ]),
    '## What was checked',
    renderChecks(facts.checks),
    '## What the figures mean',
    MEANINGS,
  ].join('\n\n')}\n`
}

export function renderTargets(targets: readonly TargetResult[]): string {
  return table(
    ['', 'target', 'wanted', 'measured'],
    targets.map(({ met, name, wanted, measured }) => [met ? '✓' : '✗', name, wanted, measured]),
  )
}

export function renderJson(figures: Figures): string {
  const floor = jsonOf(figures, 'floor')
  const portkey = jsonOf(figures, 'portkey')
  return table(
    [
      'candidate',
      'CPU µs/call',
      'lowest … highest round',
      '× floor',
      '× Portkey',
      'calls/s',
      'p50 ms',
      'p99 ms',
      'added p50 ms',
      'added p99 ms',
      'at calls/s',
      'CPU µs/call there',
      'RSS MB',
      'failed',
    ],
    figures.json.map((one) => [
      one.subject,
      one.cpuUs.toFixed(0),
      one.cpuUsRange.map((value) => value.toFixed(0)).join(' … '),
      ratio(one, floor),
      ratio(one, portkey),
      one.callsPerSecond.toFixed(0),
      one.p50Ms.toFixed(2),
      one.p99Ms.toFixed(2),
      one.paced.addedP50Ms.toFixed(2),
      one.paced.addedP99Ms.toFixed(2),
      String(one.paced.callsPerSecond),
      one.paced.cpuUs.toFixed(0),
      one.rssMegabytes.toFixed(0),
      String(one.errors),
    ]),
  )
}

export function renderStreamTable(streams: readonly StreamFigures[]): string {
  return table(
    [
      'candidate',
      'added to first token p50 ms',
      'p99 ms',
      'added gap p50 ms',
      'p99 ms',
      'CPU µs/chunk',
      'streams',
      'complete',
      'byte-clean',
      'most at once',
    ],
    streams.map((one) => [
      one.subject,
      one.addedFirstPieceP50Ms.toFixed(2),
      one.addedFirstPieceP99Ms.toFixed(2),
      one.addedGapP50Ms.toFixed(2),
      one.addedGapP99Ms.toFixed(2),
      Number.isNaN(one.cpuUsPerPiece) ? '–' : one.cpuUsPerPiece.toFixed(0),
      String(one.streams),
      String(one.complete),
      String(one.byteClean),
      String(one.peakParallel),
    ]),
  )
}

function renderIntroduction({ machine, date, command, plan, titles, checks }: ReportFacts): string {
  const { processor, cores, memoryGigabytes, system, node, undici, commit } = machine
  return `${date}, commit ${commit}. Repeat it with \`${command}\`.

- Machine: ${cores} cores (${processor}), ${memoryGigabytes} GB, ${system}. ${othersText(checks.othersShare)}
- Node ${node}, undici ${undici}
${[...titles].map(([name, title]) => `- ${name}: ${title}`).join('\n')}
- Load: ${plan.connections} connections, prompts of 2 kB that are all different, replies of 1 kB; ${plan.rounds} rounds of ${plan.closedMs / 1000} s for whole replies, ${plan.streamRounds} for streams, the candidates in turn; medians of the rounds
- Upstream, candidate and load generator are processes of their own and share the ${cores} cores`
}

/** A twentieth is what a system needs for itself. */
export function othersText(share: number): string {
  const text = `Other processes used ${(share * 100).toFixed(0)} % of the machine during the run`
  return share <= 0.05
    ? `${text}.`
    : `**${text}: times are longer than on a quiet machine, and so is CPU time; trust the ratios more.**`
}

function renderStreams(streams: readonly StreamFigures[], plan: Plan, parallel: number): string {
  const pace = plan.streamLoads.find((one) => one.parallel === parallel)?.pace
  const paceText =
    pace === undefined
      ? ''
      : `The upstream waits ${pace.firstPieceMs} ms, then sends ${pace.pieces} chunks ${pace.gapMs} ms apart.\n\n`
  const problems = streams.flatMap(({ subject, firstProblem }) =>
    firstProblem === null ? [] : [`- ${subject}: ${firstProblem.replaceAll('\n', ' ').slice(0, 300)}`],
  )
  return `${paceText}${renderStreamTable(streams)}${problems.length === 0 ? '' : `\n\nFirst problem of each:\n\n${problems.join('\n')}`}`
}

function renderChecks({ callsSent, callsSeenUpstream, gatehouseSent, gatehouseBooked }: Checks): string {
  return `- ${callsSeenUpstream} of ${callsSent} calls reached the upstream: nothing was answered from a cache.
- ${gatehouseBooked} of ${gatehouseSent} calls of Gatehouse stood in its ledger at the end.
- The first 20 replies of each measurement were read and compared, every other had status 200; every frame of every stream was compared.`
}

const MEANINGS = `- **CPU µs/call**: user and system time of the candidate's whole process tree, all threads included, from \`/proc\`, divided by the calls. The clock runs on after the load until the process is quiet, so that books written later count.
- **× floor, × Portkey**: ratios of that CPU time. They depend less on the machine than the times do.
- **floor**: a proxy of bare \`node:http\` and undici that reads, forwards and relays, and does nothing else.
- **calls/s, p50, p99**: every connection sends its next call as soon as the last is answered. The generator and the upstream use the same cores, so this is no capacity of the candidate alone.
- **added p50, p99**: calls begin at a fixed rate; percentile through the candidate less the percentile of the upstream called directly in the same round. A candidate that cannot bear 1,000 calls/s is measured at 500, 250 or 100.
- **added to first token**: from the caller's request to the first chunk in its hands, less the upstream's own part (it writes its times into the chunk), less the same of a direct call.
- **added gap**: how much longer the pause between two chunks is at the caller than at the upstream, less the same of a direct call.
- **byte-clean**: all frames there, in order, byte for byte those of the upstream, and the end of the reply after \`[DONE]\`.
- **RSS**: resident memory of the process tree at the end of a load.
- Portkey runs in its cheaper mode (\`--headless\`, \`NODE_ENV=production\`: no console) and checks no key and keeps no books. Two things are set around it: it listens on the loopback only, and headers of streamed replies are copied before it gets them, because with the dependencies that npm installs for it today every stream would end in a 500.`

function ratio(one: JsonFigures, base: JsonFigures | undefined): string {
  return base === undefined ? '–' : (one.cpuUs / base.cpuUs).toFixed(2)
}

/** Padded as the formatter of this project has it: the first column to the left, figures to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, index) =>
    Math.max(...[head, ...rows].map((cells) => cells[index]?.length ?? 0), RULE_LENGTH_MIN),
  )
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, index) => pad(cells[index] ?? '', width, index)).join(' | ')} |`
  const rule = widths.map((width, index) => (index === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

const RULE_LENGTH_MIN = 3

function pad(cell: string, width: number, index: number): string {
  return index === 0 ? cell.padEnd(width) : cell.padStart(width)
}
