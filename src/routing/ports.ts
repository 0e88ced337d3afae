import type { ChatRequest } from '../contract/chat.ts'
import type { Attempt, AttemptPrice, Exchange, TargetName } from '../pipeline/exchange.ts'
import type { Fault } from './fault.ts'

/** What the call needs of the books. */
export interface Accountant {
  /**
   * @param organizationId whose call it is: it may have prices of its own
   * @throws GatewayError where the price is unknown and such calls are refused
   */
  priceOf(provider: string, model: string, organizationId: string | undefined): AttemptPrice
  /**
   * Completes the usage of an attempt by our own count where the provider did not say, and prices it. Once.
   *
   * @returns nothing to wait for where the provider said everything
   */
  account(exchange: Exchange, attempt: Attempt): Promise<void> | undefined
  /** @returns tokens of a request, by our own tokenizer */
  countInput(request: ChatRequest, model: string): Promise<number>
}

/** Whether a call may go to a target now. */
export type BreakerVerdict =
  | { readonly open: false }
  | {
      readonly open: true
      readonly why: 'open' | 'half-open' | 'paused' | 'held'
      readonly retryAfterMs: number
      readonly reason: string
    }

/** Keeps calls from targets that fail. */
export interface Breakers {
  admit(target: TargetName): BreakerVerdict
  /** What became of an admitted call; `undefined` = it was answered. */
  note(
    target: TargetName,
    fault: Fault | undefined,
    facts: { readonly durationMs: number; readonly retryAfterMs?: number | undefined },
  ): void
}
