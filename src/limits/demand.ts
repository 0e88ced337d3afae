import type { AskedOutput } from './asked-output.ts'
import type { Usual } from './experience.ts'
import type { Amounts } from './ports.ts'

/** What calls to one target come to at most, by its price. */
export interface Quote {
  /** @returns nano-dollars */
  costOf(inputTokens: number, outputTokens: number): number
}

export interface DemandFacts {
  readonly inputBytes: number
  readonly asked: AskedOutput
  readonly usual: Usual
  readonly quote: Quote
  /** Whether what it writes is seen as it is written, so that its hold can grow with it. */
  readonly grows: boolean
  /** Nano-dollars of what is not counted in tokens. */
  readonly unitsNanoUsd: number
  /** Of the price behind the quote; `null` where nothing is sold. */
  readonly priceVersion: string | null
}

/** How much of the output cap has to be sent for a hold to be enough. */
export interface Ask {
  readonly amounts: Amounts
  /** Tokens of all answers that the held money covers. */
  readonly outputTokens: number
}

/**
 * A model that nobody has seen here may have written prompts around ours, as a service with instructions of its own
 * does, and answers at a length of its own. A call is held for this much until the first ones have ended.
 */
const NEW_INPUT_TOKENS = 512
const NEW_OUTPUT_TOKENS = 1024
/** Text of any kind has fewer than half as many tokens as bytes of UTF-8, but for rows of rare symbols. */
const NEW_TOKENS_PER_BYTE = 0.5
const PLAIN_BYTES_PER_TOKEN = 3.5
/** Nearly no model on sale writes more in one answer unless it is told to. */
const ANSWER_TOKENS_MAX = 32_768
/** Usual is the most of nearly all: where tokens are counted and nothing is paid, a tenth less will do. */
const TOKENS_TOLERANCE = 0.9

/** What one call may need of its limits, from as much as possible to as little as is of use. */
export class Demand {
  readonly inputTokens: number
  /** Of all answers: no call can write more. */
  readonly outputMost: number
  /** Of all answers: nearly all calls write less. */
  readonly outputUsual: number
  private readonly facts: DemandFacts

  constructor(facts: DemandFacts) {
    const { asked, usual, inputBytes } = facts
    this.facts = facts
    this.inputTokens =
      usual.inputTokens ?? Math.max(NEW_INPUT_TOKENS, Math.ceil(inputBytes * NEW_TOKENS_PER_BYTE))
    const most = asked.tokensMax ?? ANSWER_TOKENS_MAX
    this.outputMost = most * asked.choices
    this.outputUsual = Math.min(most, usual.outputTokens ?? NEW_OUTPUT_TOKENS) * asked.choices
  }

  get inputBytes(): number {
    return this.facts.inputBytes
  }

  /** How many answers. */
  get choices(): number {
    return this.facts.asked.choices
  }

  /** The caller's own cap of one answer. */
  get tokensMaxAsked(): number | undefined {
    return this.facts.asked.tokensMax
  }

  get priceVersion(): string | null {
    return this.facts.priceVersion
  }

  get grows(): boolean {
    return this.facts.grows
  }

  /** @returns nano-dollars that its price alone says of so many tokens */
  quoted(inputTokens: number, outputTokens: number): number {
    return countable(this.facts.quote.costOf(inputTokens, outputTokens) + this.facts.unitsNanoUsd)
  }

  /** Whether calls like it have ended here. */
  get isKnown(): boolean {
    return this.facts.usual.inputTokens !== undefined && this.facts.usual.outputTokens !== undefined
  }

  /**
   * What is asked for first: all that the call may write; or, where its hold can grow with the answer, what is usual, so
   * that long caps of long streams do not hold what others could use.
   */
  whole(): Ask {
    const { grows, usual } = this.facts
    return this.ask(
      grows && !usual.reasons ? this.leastUsual() : Math.max(this.outputMost, this.leastUsual()),
    )
  }

  /** What nearly every call like it stays within. */
  usual(): Ask {
    return this.ask(this.leastUsual())
  }

  /** The least that is of use, when nobody else holds anything that may come back. */
  least(): Ask {
    // Only a model that is known to stop where it is told to can be given less than it usually writes.
    if (this.isKnown && this.facts.usual.heedsCap !== true)
      return this.ask(this.leastUsual(), TOKENS_TOLERANCE)
    const { inputBytes } = this.facts
    const tokens = this.isKnown ? this.inputTokens : Math.ceil(inputBytes / PLAIN_BYTES_PER_TOKEN)
    const fewest = this.fewest()
    return {
      amounts: { requests: 1, tokens: tokens + fewest, costNanoUsd: this.costOf(fewest) },
      outputTokens: fewest,
    }
  }

  /**
   * Nano-dollars of the least, if nothing stands around the request: a model that nobody has seen here may charge more,
   * so only limits that would never let such a call begin are asked for so little.
   */
  get plainCostNanoUsd(): number {
    return Math.min(this.least().amounts.costNanoUsd, this.costOf(this.fewest(), this.plainInput))
  }

  /** @returns tokens of output that a call may be given for so much money, which is no less than its least */
  outputWithin(costNanoUsd: number): number {
    const cautious = this.outputFor(costNanoUsd, this.inputTokens)
    return cautious >= this.fewest() ? cautious : this.outputFor(costNanoUsd, this.plainInput)
  }

  /** @returns nano-dollars of this call, would it write so much */
  costOf(outputTokens: number, inputTokens = this.inputTokens): number {
    const { quote, usual, unitsNanoUsd } = this.facts
    return countable((quote.costOf(inputTokens, outputTokens) + unitsNanoUsd) * usual.costFactor)
  }

  /** @returns tokens of output that so much money pays for; `Infinity` where they cost nothing */
  outputFor(costNanoUsd: number, inputTokens: number): number {
    const base = this.costOf(0, inputTokens)
    const perMillion = this.costOf(1_000_000, inputTokens) - base
    if (perMillion <= 0) return Number.POSITIVE_INFINITY
    const tokens = Math.max(0, Math.floor(((costNanoUsd - base) * 1_000_000) / perMillion))
    // Prices are rounded up, so that the last one may cost a nano-dollar too much.
    return tokens > 0 && this.costOf(tokens, inputTokens) > costNanoUsd ? tokens - 1 : tokens
  }

  /**
   * @param outputTokens of all answers, that are affordable
   * @returns the cap to send for one answer; `undefined` where the caller's own, or none, is as good
   */
  capFor(outputTokens: number): number | undefined {
    const { asked, grows, usual } = this.facts
    if (outputTokens >= this.outputMost) return undefined
    // A hold that grows with the answer needs no cap, unless there is more to the answer than is seen of it.
    if (grows && !usual.reasons) return undefined
    return Math.floor(outputTokens / asked.choices)
  }

  /** Half an answer may be of use; a few words of it are paid for nothing. */
  private fewest(): number {
    const { asked } = this.facts
    const useful = this.isKnown ? Math.ceil(this.outputUsual / 2) : 0
    return Math.min(Math.max(asked.tokensMin * asked.choices, useful), this.outputMost)
  }

  /** Of a request alone, without what a service may write around it. */
  get plainInput(): number {
    const { usual, inputBytes } = this.facts
    return usual.inputTokens ?? Math.ceil(inputBytes * NEW_TOKENS_PER_BYTE)
  }

  /** One that ignores its cap writes what it usually does. */
  private leastUsual(): number {
    const { asked, usual } = this.facts
    if (usual.heedsCap !== false || usual.outputTokens === undefined) return this.outputUsual
    return usual.outputTokens * asked.choices
  }

  private ask(outputTokens: number, tokensShare = 1): Ask {
    const tokens = countable((this.inputTokens + Math.min(outputTokens, this.leastUsual())) * tokensShare)
    return {
      amounts: { requests: 1, tokens, costNanoUsd: this.costOf(outputTokens) },
      outputTokens,
    }
  }
}

/** Counters count whole numbers as far as they are exact. Where there is a limit, that much is refused all the same. */
function countable(amount: number): number {
  return Math.min(Math.ceil(amount), Number.MAX_SAFE_INTEGER)
}
