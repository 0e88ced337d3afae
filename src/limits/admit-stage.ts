import type { Stage } from '../pipeline/stage.ts'
import type { Admission, QuoteOf } from './admission.ts'

/**
 * Holds what a call may come to before it leaves, and lets the hold grow with the answer. It is settled once the ledger
 * has priced the call (`Admission.settle`).
 */
export function createAdmitStage(admission: Admission, quoteOf: QuoteOf): Stage {
  return {
    name: 'admit',
    enter(exchange) {
      const admitted = admission.admit(exchange, quoteOf)
      return admitted?.then(() => undefined)
    },
    relay: (events, exchange) => admission.relay(events, exchange),
  }
}
