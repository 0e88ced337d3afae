import { GatewayError } from '../core/errors.ts'
import type { Journal } from './ports.ts'

/** Drained rows make room in seconds, once the ledger is back. */
const RETRY_SECONDS = 5

/**
 * Keeps calls out while the journal has no room: what could not be booked must not cost anything.
 *
 * @throws GatewayError `storage_unavailable`
 */
export function requireRoom(journal: Pick<Journal, 'hasRoom'>): void {
  if (journal.hasRoom) return
  throw new GatewayError('storage_unavailable', {
    message:
      'Usage cannot be recorded at the moment: the ledger has been away for too long. Try again later.',
    retryAfterSeconds: RETRY_SECONDS,
  })
}
