import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { z } from 'zod'
import type { priceChange, priceDiff, priceList, priceUpdateReport } from '../contract/prices.ts'
import { GatewayError } from '../core/errors.ts'
import { type ControlClient, openControl } from './control-client.ts'
import { EXIT, print, table } from './output.ts'

type PriceList = z.output<typeof priceList>
type PriceDiff = z.output<typeof priceDiff>
type UpdateReport = z.output<typeof priceUpdateReport>
type Change = z.output<typeof priceChange>

const JSON_FLAG = ['--json', 'print JSON'] as const

/** `prices list`, `prices diff` and `prices update`. */
export function addPrices(program: Command): void {
  const prices = program.command('prices').description('what models cost here, and where that comes from')
  prices
    .command('list', { isDefault: true })
    .description('what each target of the configuration, and each one called in the last 30 days, costs now')
    .option('--provider <name>', 'one provider only')
    .option('--model <name>', 'one model only; a * at the end stands for any ending')
    .option('--org <id or slug>', 'what this organization pays')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
Exits with 1 where a target of the configuration has no known price.

Examples:
  gatehouse prices
  gatehouse prices list --provider openai --model "gpt-4o*"
  gatehouse prices list --org acme --json`,
    )
    .action(listPrices)
  prices
    .command('diff')
    .description(
      'prices of the configuration and of organizations against the list; or the list against a file',
    )
    .argument('[file]', 'data as genai-prices publishes it')
    .option('--org <id or slug>', 'the prices of this organization alone')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse prices diff
  gatehouse prices diff --org acme
  gatehouse prices diff data.json`,
    )
    .action(diffPrices)
  prices
    .command('update')
    .description('puts newer data on what models cost in force, for calls that begin from then on')
    .argument('[file or url]', 'data as genai-prices publishes it')
    .option('--bundled', 'go back to the data that this version brings along')
    .option('--force', 'also where a price drops to nothing, is lost, or changes by more than ten times')
    .option('--dry-run', 'say what would change, and change nothing')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
The network is used for a URL only. Exits with 1 where --force is needed.

Examples:
  gatehouse prices update data.json --dry-run
  gatehouse prices update https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json
  gatehouse prices update --bundled`,
    )
    .action(updatePrices)
}

interface ListFlags {
  readonly provider?: string
  readonly model?: string
  readonly org?: string
  readonly json?: boolean
}

async function listPrices(flags: ListFlags): Promise<void> {
  const query = new URLSearchParams()
  if (flags.provider !== undefined) query.set('provider', flags.provider)
  if (flags.model !== undefined) query.set('model', flags.model)
  if (flags.org !== undefined) query.set('organizationId', flags.org)
  await withControl(async (control) => {
    const answer = (await control.call('GET', `/prices?${query}`)) as PriceList
    const unknown = answer.data.some(({ configured, known }) => configured && !known)
    print(
      {
        text:
          answer.data.length === 0
            ? 'Nothing yet: no route leads anywhere, and nobody called.'
            : toTable(answer),
        json: answer,
        exitCode: unknown ? EXIT.problem : EXIT.success,
      },
      flags.json === true,
    )
  })
}

/** Columns of the table; what a model sells by the unit stands together in the last but one. */
const TOKEN_COLUMNS = [
  ['input', 'inputPerMillionUsd'],
  ['cached', 'cachedInputPerMillionUsd'],
  ['cache write', 'cacheWritePerMillionUsd'],
  ['output', 'outputPerMillionUsd'],
  ['reasoning', 'reasoningPerMillionUsd'],
  ['a request', 'perRequestUsd'],
] as const

function toTable({ data, priceData }: PriceList): string {
  const rows = data.map(({ provider, model, known, source, version, prices }) => [
    `${provider}/${model}`,
    ...TOKEN_COLUMNS.map(([, part]) => prices[part] ?? '–'),
    Object.entries(prices)
      .filter(([part]) => part.startsWith('per') && part !== 'perRequestUsd')
      .map(([part, usd]) => `${usd} ${wordsOf(part)}`)
      .join(', ') || '–',
    known ? source : source === 'refused' ? 'UNKNOWN, refused' : 'UNKNOWN, ceiling',
    version ?? '–',
  ])
  const since = priceData.since === null ? 'of this version of Gatehouse' : `since ${priceData.since}`
  return [
    table(['target', ...TOKEN_COLUMNS.map(([heading]) => heading), 'units', 'from', 'version'], rows),
    '',
    `US dollars, of tokens a million. Data on models: genai-prices@${priceData.version}, ${since}.`,
  ].join('\n')
}

interface DiffFlags {
  readonly org?: string
  readonly json?: boolean
}

async function diffPrices(file: string | undefined, flags: DiffFlags): Promise<void> {
  if (file !== undefined && flags.org !== undefined) {
    throw new GatewayError('invalid_request', {
      message: 'A file is compared with the list, which is the same for every organization: leave out --org.',
    })
  }
  if (file !== undefined) {
    const data = await readData(file)
    await withControl(async (control) => {
      const report = (await control.call('POST', '/prices/update', {
        data,
        source: file,
        dryRun: true,
      })) as UpdateReport
      print({ text: tellUpdate(report), json: report, exitCode: EXIT.success }, flags.json === true)
    })
    return
  }
  const query = flags.org === undefined ? '' : `?organizationId=${encodeURIComponent(flags.org)}`
  await withControl(async (control) => {
    const answer = (await control.call('GET', `/prices/diff${query}`)) as PriceDiff
    print({ text: tellDiff(answer), json: answer, exitCode: EXIT.success }, flags.json === true)
  })
}

function tellDiff({ data }: PriceDiff): string {
  if (data.length === 0) return 'Nobody has a price that is not the list’s.'
  const rows = data.map(({ organizationId, provider, model, changes, listVersion }) => [
    organizationId ?? 'everybody',
    `${provider}/${model}`,
    listVersion === null ? 'no list price' : directionOf(changes),
    listVersion === null || changes.length === 0 ? '–' : changes.map(tellChange).join(', '),
  ])
  return table(['who', 'target', 'pays', 'against the list'], rows)
}

function directionOf(changes: readonly Change[]): string {
  const grows = changes.map(({ fromUsd, toUsd }) => Number(toUsd ?? 0) - Number(fromUsd ?? 0))
  const more = grows.some((growth) => growth > 0)
  const less = grows.some((growth) => growth < 0)
  return more && less ? 'more and less' : more ? 'more' : less ? 'less' : 'the same'
}

interface UpdateFlags {
  readonly bundled?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

async function updatePrices(source: string | undefined, flags: UpdateFlags): Promise<void> {
  if ((source === undefined) === (flags.bundled !== true)) {
    throw new GatewayError('invalid_request', { message: 'Name a file or a URL, or --bundled (see --help).' })
  }
  const what = source === undefined ? { bundled: true } : { data: await readData(source), source }
  await withControl(async (control) => {
    const report = (await control.call('POST', '/prices/update', {
      ...what,
      dryRun: flags.dryRun === true,
      force: flags.force === true,
    })) as UpdateReport
    const exitCode = report.outcome === 'needs-force' ? EXIT.problem : EXIT.success
    print({ text: tellUpdate(report), json: report, exitCode }, flags.json === true)
  })
}

const OUTCOMES: Readonly<Record<UpdateReport['outcome'], string>> = {
  stored: 'In force for calls that begin from now on',
  unchanged: 'In force already',
  'dry-run': 'Nothing was changed (dry run)',
  'needs-force': 'Nothing was changed: look at the prices marked with !, then use --force',
}

function tellUpdate({ version, outcome, changes, otherChanges }: UpdateReport): string {
  const rows = changes.map(({ provider, model, inUse, drastic, fromVersion, toVersion, changes: parts }) => [
    drastic ? '!' : '',
    `${provider}/${model}`,
    inUse ? 'in use' : '',
    fromVersion === null
      ? 'has a price now'
      : toVersion === null
        ? 'has no price any more'
        : parts.map(tellChange).join(', '),
  ])
  return [
    rows.length === 0 ? 'No price of a model in use changes.' : table(['', 'target', '', 'changes'], rows),
    ...(otherChanges === 0 ? [] : [`${otherChanges} more models change that nobody uses.`]),
    `${OUTCOMES[outcome]}: genai-prices@${version}.`,
  ].join('\n')
}

function tellChange({ part, fromUsd, toUsd, percent }: Change): string {
  const sign = percent !== null && percent > 0 ? '+' : ''
  const share = percent === null ? '' : ` (${sign}${percent} %)`
  return `${wordsOf(part)} ${fromUsd ?? '–'} → ${toUsd ?? '–'}${share}`
}

/** `cachedInputPerMillionUsd` → `cached input`, `perMillionCharactersUsd` → `per million characters`. */
function wordsOf(part: string): string {
  return part
    .replace(/(?:PerMillion)?Usd$/, '')
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim()
}

/** A published file has half a megabyte; the control API takes no more than this either. */
const DATA_BYTES_MAX = 16 * 1024 * 1024
const FETCH_MS = 30_000

/** @throws GatewayError `invalid_request` */
async function readData(source: string): Promise<unknown> {
  const text = /^https?:\/\//.test(source) ? await fetchText(source) : await readText(source)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new GatewayError('invalid_request', { message: `${source} holds no JSON.`, cause: error })
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new GatewayError('invalid_request', { message: `${path} cannot be read.`, cause: error })
  }
}

async function fetchText(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) })
    if (!response.ok) throw new Error(`status ${response.status}`)
    const parts: Uint8Array[] = []
    let bytes = 0
    for await (const part of response.body ?? []) {
      bytes += part.length
      if (bytes > DATA_BYTES_MAX) throw new Error('more than 16 MiB')
      parts.push(part)
    }
    return Buffer.concat(parts).toString('utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new GatewayError('invalid_request', { message: `${url} cannot be read: ${reason}.`, cause: error })
  }
}

async function withControl(work: (control: ControlClient) => Promise<void>): Promise<void> {
  const control = await openControl()
  try {
    await work(control)
  } finally {
    await control.close()
  }
}
