import type { ChatRequest, Usage } from '../contract/chat.ts'
import { estimateTokens } from '../core/tokens.ts'
import type { Attempt, AttemptPrice, CallUnits, Exchange } from '../pipeline/exchange.ts'
import { textOfForward } from './forward-text.ts'

/** A price as the price book resolves it; opaque here. */
export interface PriceBook<Price extends AttemptPrice> {
  /**
   * @param organizationId whose call it is: it may have prices of its own
   * @throws GatewayError where the price is unknown and such calls are refused
   */
  priceOf(provider: string, model: string, organizationId: string | undefined): Price
  /** @returns nano-dollars */
  costOf(usage: Usage, units: CallUnits, price: Price): number
}

export interface TokenCounter {
  countChat(request: ChatRequest, model: string): Promise<number>
  countText(text: string, model: string): Promise<number>
}

export interface AccountantOptions<Price extends AttemptPrice> {
  readonly prices: PriceBook<Price>
  readonly tokens: TokenCounter
}

/** Makes of what a provider reported, or did not, what the books say. */
export function createAccountant<Price extends AttemptPrice>({ prices, tokens }: AccountantOptions<Price>) {
  // Prices as they were resolved, so that an attempt settles at the price it began with.
  const accounted = new WeakSet<Attempt>()

  function price(attempt: Attempt): void {
    attempt.costNanoUsd = prices.costOf(attempt.usage, attempt.units, attempt.price as Price)
  }

  async function estimate(exchange: Exchange, attempt: Attempt): Promise<void> {
    attempt.estimated = true
    const { usage } = attempt
    const inputTokens = usage.inputTokens ?? (await countInput(exchange, attempt.model))
    const outputTokens = usage.outputTokens ?? (await countText(attempt.outputText, attempt.model))
    attempt.usage = { ...usage, inputTokens, outputTokens }
    price(attempt)
  }

  async function countInput({ incoming }: Exchange, model: string): Promise<number> {
    const { operation, json } = incoming
    try {
      if (operation === 'chat') return await tokens.countChat(incoming.chat(), model)
      if (operation === 'embedding') {
        const texts = incoming
          .embedding()
          .inputs.map((input) => (typeof input === 'string' ? input : 'x '.repeat(input.length)))
        return await tokens.countText(texts.join('\n'), model)
      }
    } catch {
      // What was forwarded as it came may be more than we understand. The provider did, so it is charged all the same.
    }
    return countText(textOfForward(operation, json), model)
  }

  async function countText(text: string, model: string): Promise<number> {
    try {
      return await tokens.countText(text, model)
    } catch {
      // A tokenizer that cannot be loaded must not make a call free.
      return estimateTokens(Buffer.byteLength(text))
    }
  }

  return {
    priceOf: (provider: string, model: string, organizationId?: string): Price =>
      prices.priceOf(provider, model, organizationId),
    countInput: (request: ChatRequest, model: string): Promise<number> => tokens.countChat(request, model),
    account(exchange: Exchange, attempt: Attempt): Promise<void> | undefined {
      if (accounted.has(attempt)) return undefined
      accounted.add(attempt)
      const { usage, status } = attempt
      // Nothing left us, or the provider refused: nobody produced anything and nobody charges for it.
      if (!attempt.dispatched || (status !== undefined && status >= 400)) return undefined
      if (usage.inputTokens !== undefined && usage.outputTokens !== undefined) {
        price(attempt)
        return undefined
      }
      return estimate(exchange, attempt)
    },
  }
}
