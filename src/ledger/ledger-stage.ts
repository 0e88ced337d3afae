import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Outcome, Stage } from '../pipeline/stage.ts'
import { toRows } from './ledger-row.ts'
import type { LedgerRow } from './ports.ts'

export interface LedgerStageOptions {
  readonly account: (exchange: Exchange, attempt: Attempt) => Promise<void> | undefined
  readonly record: (row: LedgerRow) => void
  /** @returns once what was recorded survives this process; `undefined` where it does */
  readonly handedOver: () => Promise<void> | undefined
  readonly onSettled: (exchange: Exchange, outcome: Outcome, rows: readonly LedgerRow[]) => void
}

/**
 * Books every call of a known caller: one row for each attempt, or one for a call that was refused before any. It is
 * settled once its rows survive this process, so that nobody sees the end of a reply that `kill -9` takes off the books.
 */
export function createLedgerStage(options: LedgerStageOptions): Stage {
  return {
    name: 'ledger',
    async settle(exchange, outcome) {
      const { caller, attempts } = exchange
      if (caller === undefined) return
      const defects: unknown[] = []
      for (const attempt of attempts) {
        try {
          const accounting = options.account(exchange, attempt)
          if (accounting !== undefined) await accounting
        } catch (error) {
          // A row without its cost can be mended; a call without a row is lost.
          defects.push(error)
        }
      }
      let rows: LedgerRow[] = []
      try {
        rows = toRows(exchange, outcome, caller)
        for (const row of rows) options.record(row)
      } catch (error) {
        // What the call holds is given back also where nobody writes it down any more.
        defects.push(error)
      }
      options.onSettled(exchange, outcome, rows)
      const handover = options.handedOver()
      if (handover !== undefined) await handover
      if (defects.length > 0) throw defects[0]
    },
  }
}
