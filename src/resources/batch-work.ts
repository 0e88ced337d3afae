import type { Usage } from '../contract/chat.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import type { BatchWork, HeldBatch, Resource } from './ports.ts'

/**
 * @param endpoint of the batch: `/v1/chat/completions` …
 * @returns what the body of a reply says that it used
 */
export type ReadUsage = (
  body: unknown,
  endpoint: string,
) => { readonly usage: Usage; readonly units: CallUnits }

type Fields = Readonly<Record<string, unknown>>

/** Statuses after which nothing more is done or charged (`Batch.status` of the `openai` package, version 7). */
const OVER: ReadonlySet<unknown> = new Set(['completed', 'failed', 'expired', 'cancelled'])

export function isOver(batch: Fields): boolean {
  return OVER.has(batch.status)
}

/** @returns when the batch ended, as the provider says; `fallback` where it does not */
export function endOf(batch: Fields, fallback: Date): Date {
  for (const name of ['completed_at', 'cancelled_at', 'expired_at', 'failed_at']) {
    const seconds = batch[name]
    if (typeof seconds === 'number' && seconds > 0) return new Date(seconds * 1000)
  }
  return fallback
}

/**
 * @returns the work that the batch object itself reports; `undefined` where it does not say, as OpenAI does not for
 *   batches made before 2025-09-07
 */
export function workOfBatch(batch: Fields, readUsage: ReadUsage): BatchWork[] | undefined {
  const { model } = batch
  if (typeof model !== 'string' || model === '') return undefined
  const { usage, units } = readUsage(batch, endpointOf(batch))
  if (!usage.inputTokens && !usage.outputTokens) return undefined
  return [{ model, usage, units, estimated: false }]
}

export function endpointOf({ endpoint }: Fields): string {
  return typeof endpoint === 'string' ? endpoint : ''
}

/** A batch may name as many models as it has lines; more than this are booked together. */
const MODELS_MAX = 100
/** Where a reply says nothing of its usage: the usual length of a token. */
const BYTES_PER_TOKEN = 4

/** Adds up the lines of an output file: `{response: {status_code, body: {model, usage}}}`. */
export class WorkSum {
  private readonly byModel = new Map<string, BatchWork>()
  private readonly readUsage: ReadUsage
  private readonly endpoint: string

  constructor(readUsage: ReadUsage, endpoint: string) {
    this.readUsage = readUsage
    this.endpoint = endpoint
  }

  add(line: string): void {
    const body = bodyOf(line)
    if (body === undefined) return
    const model = typeof body.model === 'string' ? body.model : ''
    const { usage, units } = this.readUsage(body, this.endpoint)
    const said = usage.inputTokens !== undefined
    const one: BatchWork = {
      model,
      usage: said
        ? usage
        : { inputTokens: 0, outputTokens: Math.ceil(Buffer.byteLength(line) / BYTES_PER_TOKEN) },
      units,
      estimated: !said,
    }
    const name =
      this.byModel.has(model) || this.byModel.size < MODELS_MAX
        ? model
        : (this.byModel.keys().next().value ?? model)
    const sum = this.byModel.get(name)
    this.byModel.set(name, sum === undefined ? one : addWork(sum, one))
  }

  work(): BatchWork[] {
    return [...this.byModel.values()]
  }
}

/** @returns the reply in a line of output; `undefined` for a request that failed, which is not charged */
function bodyOf(line: string): Fields | undefined {
  const response = fields(fields(parse(line))?.response)
  if (response === undefined) return undefined
  if (typeof response.status_code === 'number' && response.status_code >= 400) return undefined
  return fields(response.body)
}

function addWork(sum: BatchWork, one: BatchWork): BatchWork {
  return {
    model: sum.model,
    usage: addCounts(sum.usage, one.usage),
    units: addCounts(sum.units, one.units),
    estimated: sum.estimated || one.estimated,
  }
}

function addCounts<Counts extends object>(sum: Counts, one: Counts): Counts {
  const total = { ...sum } as Record<string, number | undefined>
  for (const [name, value] of Object.entries(one) as [string, number | undefined][]) {
    if (value !== undefined) total[name] = (total[name] ?? 0) + value
  }
  return total as Counts
}

/** @returns the body of a request in a line of input; `undefined` where it holds none, and no provider takes it */
export function requestOf(line: string): Fields | undefined {
  return fields(fields(parse(line))?.body)
}

/** @returns a batch as budgets and books know it: its work is a request of its own, beside the call that made it */
export function toHeld<Batch extends Omit<Resource, 'id'>>(batch: Batch): Batch & HeldBatch {
  return { ...batch, workId: `${batch.requestId}.batch` }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}
