import { EventEmitter } from 'node:events'
import type { LedgerRow } from '../ledger/ports.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'

/** What can be listened to. Listeners must not wait; one that throws keeps those behind it from hearing. */
export interface GatewayEvents {
  /** A call came in. */
  request: [exchange: Exchange]
  /** A try at a target begins. */
  attempt: [exchange: Exchange, attempt: Attempt]
  /** A call is over and booked. */
  settled: [exchange: Exchange, outcome: Outcome, rows: readonly LedgerRow[]]
}

/** @param onError told of a listener that threw: no call may fail because somebody listens to it */
export function createEvents(onError: (error: unknown) => void): EventEmitter<GatewayEvents> {
  const events = new EventEmitter<GatewayEvents>()
  const emit = events.emit.bind(events) as (...values: unknown[]) => boolean
  events.emit = (...values: unknown[]) => {
    try {
      return emit(...values)
    } catch (error) {
      onError(error)
      return true
    }
  }
  return events
}
