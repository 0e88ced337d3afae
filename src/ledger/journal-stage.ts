import { GatewayError } from '../core/errors.ts'
import type { Stage } from '../pipeline/stage.ts'
import type { Journal } from './ports.ts'

/**
 * Refuses calls while the journal has no room: a call that could not be booked must not cost anything. The first
 * stage, so that not even a refusal is booked then.
 */
export function createJournalStage(journal: Pick<Journal, 'hasRoom'>): Stage {
  return {
    name: 'journal',
    enter() {
      if (journal.hasRoom) return undefined
      throw new GatewayError('storage_unavailable', {
        message:
          'Usage cannot be recorded at the moment: the ledger has been away for too long. Try again later.',
        retryAfterSeconds: RETRY_SECONDS,
      })
    },
  }
}

/** Drained rows make room in seconds, once the ledger is back. */
const RETRY_SECONDS = 5
