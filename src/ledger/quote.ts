import { picoToNano } from '../core/money.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import { costOfCall } from './call-cost.ts'
import { ratesFor } from './cost.ts'
import type { Rates } from './price-rates.ts'
import type { ResolvedPrice } from './prices.ts'

/** What calls at one price come to at most, before anybody knows what they will be. */
export interface Quote {
  /** @returns nano-dollars of so many tokens, all of them of the dearest kind that text can be */
  costOf(inputTokens: number, outputTokens: number): number
  /** @returns nano-dollars of what is not counted in tokens */
  costOfUnits(units: CallUnits): number
}

/**
 * @returns quotes, one for each price: text costs at most what its writing to a cache costs, and a thought what it says
 */
export function createQuotes(): (price: ResolvedPrice) => Quote {
  const quotes = new WeakMap<ResolvedPrice, Quote>()
  return (price) => {
    const known = quotes.get(price)
    if (known !== undefined) return known
    const quote = toQuote(price)
    quotes.set(price, quote)
    return quote
  }
}

function toQuote(price: ResolvedPrice): Quote {
  const base = costOfCall(NO_TOKENS, {}, price)
  return {
    costOf(inputTokens, outputTokens) {
      const rates = price.tiers.length === 0 ? price.rates : ratesFor(price, inputTokens)
      const pico = price.requestPico + inputTokens * inputPico(rates) + outputTokens * outputPico(rates)
      return Number.isSafeInteger(pico) ? picoToNano(pico) : Number.MAX_SAFE_INTEGER
    },
    costOfUnits: (units) => costOfCall(NO_TOKENS, units, price) - base,
  }
}

const NO_TOKENS = { inputTokens: 0, outputTokens: 0 }

function inputPico({ inputPico: input, cacheWritePico }: Rates): number {
  return input > cacheWritePico ? input : cacheWritePico
}

function outputPico({ outputPico: output, reasoningPico }: Rates): number {
  return output > reasoningPico ? output : reasoningPico
}
