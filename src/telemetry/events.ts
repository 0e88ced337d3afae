import { EventEmitter } from 'node:events'
import type { LedgerRow } from '../ledger/ports.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'

/** What can be listened to. Listeners must not throw and must not wait. */
export interface GatewayEvents {
  /** A call came in. */
  request: [exchange: Exchange]
  /** A try at a target begins. */
  attempt: [exchange: Exchange, attempt: Attempt]
  /** A call is over and booked. */
  settled: [exchange: Exchange, outcome: Outcome, rows: readonly LedgerRow[]]
}

export function createEvents(): EventEmitter<GatewayEvents> {
  return new EventEmitter<GatewayEvents>()
}
