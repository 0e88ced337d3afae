import type { Operation } from '../contract/operation.ts'
import type { CallFormat, Hints, Incoming } from '../pipeline/exchange.ts'
import { askedOutputOf } from './asked-output.ts'
import { Demand, type Quote } from './demand.ts'
import type { Experience } from './experience.ts'
import { inputBytesOf } from './input-bytes.ts'

type Fields = Readonly<Record<string, unknown>>

/** What the lines of one batch are sold at. */
export interface BatchQuote {
  readonly quote: Quote
  readonly priceVersion: string
  /** @returns nano-dollars of what is not counted in tokens: pictures */
  unitsNanoUsd(line: Incoming): number
}

export interface BatchDemandOptions {
  readonly experience: Pick<Experience, 'usual'>
  readonly provider: string
  /** Of all lines: `/v1/chat/completions` … */
  readonly endpoint: string
  readonly task: string | undefined
  /** @throws GatewayError where the price is unknown and such calls are refused */
  readonly quoteOf: (model: string) => BatchQuote
}

/** What the requests of a batch are as calls, by the end of their path. What is not here answers nothing that is sold by the token. */
const KINDS: readonly (readonly [string, Operation, CallFormat])[] = [
  ['/chat/completions', 'chat', 'chat'],
  ['/responses', 'chat', 'responses'],
  ['/completions', 'completion', 'completions'],
  ['/embeddings', 'embedding', 'embeddings'],
  ['/moderations', 'moderation', 'forward'],
  ['/images/generations', 'image', 'forward'],
]
/** Prices that are kept at hand: a batch has one model, or a few. */
const MODELS_MAX = 100

/**
 * Adds up what the lines of a batch may cost, by the estimates that calls are held for: the output as far as a line
 * caps it, else what is usual for its model.
 */
export class BatchDemand {
  private readonly options: BatchDemandOptions
  private readonly operation: Operation
  private readonly format: CallFormat
  private readonly hints: Hints
  private readonly quotes = new Map<string, BatchQuote>()
  private sumNanoUsd = 0

  constructor(options: BatchDemandOptions) {
    const { endpoint, task } = options
    this.options = options
    const [, operation, format] = KINDS.find(([end]) => endpoint.endsWith(end)) ?? UNKNOWN
    this.operation = operation
    this.format = format
    this.hints = { ...NO_HINTS, task }
  }

  /** Nano-dollars of all lines so far. */
  get costNanoUsd(): number {
    return Math.min(this.sumNanoUsd, Number.MAX_SAFE_INTEGER)
  }

  /**
   * @param body of one line's request
   * @throws GatewayError where the price of its model is unknown and such calls are refused
   */
  add(body: Fields): void {
    const { experience, provider } = this.options
    const model = typeof body.model === 'string' ? body.model : ''
    // A moderation without a model is a free one at every provider that has batches of them.
    if (model === '' && this.operation === 'moderation') return
    const line = this.toIncoming(body, model)
    const { quote, priceVersion, unitsNanoUsd } = this.quoteOf(model)
    const inputBytes = inputBytesOf(line)
    const asked = askedOutputOf(line)
    const demand = new Demand({
      inputBytes,
      asked,
      usual: experience.usual(`${provider}/${model}`, this.hints.task, inputBytes),
      grows: false,
      quote,
      priceVersion,
      unitsNanoUsd: unitsNanoUsd(line),
    })
    const { outputTokens } = asked.tokensMax === undefined ? demand.usual() : demand.whole()
    // Without what a service may write around a request of its own: thousands of times that is no small thing.
    this.sumNanoUsd += demand.costOf(outputTokens, demand.plainInput)
  }

  private quoteOf(model: string): BatchQuote {
    const known = this.quotes.get(model)
    if (known !== undefined) return known
    const quote = this.options.quoteOf(model)
    if (this.quotes.size >= MODELS_MAX) this.quotes.clear()
    this.quotes.set(model, quote)
    return quote
  }

  private toIncoming(body: Fields, model: string): Incoming {
    return {
      operation: this.operation,
      format: this.format,
      model,
      stream: false,
      forwardable: true,
      body: undefined,
      json: body,
      passHeaders: {},
      credential: undefined,
      ip: '',
      hints: this.hints,
      problem: undefined,
      chat: notTranslated,
      translatable: notTranslated,
      embedding: notTranslated,
    }
  }
}

const UNKNOWN: (typeof KINDS)[number] = ['', 'chat', 'chat']

const NO_HINTS: Hints = {
  user: undefined,
  session: undefined,
  task: undefined,
  tags: {},
  timeoutMs: undefined,
  traceparent: undefined,
}

function notTranslated(): never {
  throw new Error('A line of a batch is measured as it is.')
}
