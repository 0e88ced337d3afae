import { GatewayError } from '../core/errors.ts'
import type { Queryable } from './database.ts'

/** Resolves when the database answers. @throws GatewayError `storage_unavailable`, also when `signal` aborts first */
export async function checkHealth(database: Queryable, signal: AbortSignal): Promise<void> {
  const tooLate = () =>
    new GatewayError('storage_unavailable', { message: 'The database did not answer in time.' })
  if (signal.aborted) throw tooLate()
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(tooLate())
    signal.addEventListener('abort', onAbort, { once: true })
  })
  const answered = database.query('SELECT 1')
  try {
    await Promise.race([answered, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Nobody waits for a late failure.
    answered.catch(() => {})
  }
}
