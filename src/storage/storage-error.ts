import { GatewayError } from '../core/errors.ts'

/** Codes of PostgreSQL that mean: not now (https://www.postgresql.org/docs/15/errcodes-appendix.html). */
const UNAVAILABLE_CODES = new Set([
  '25006', // read_only_sql_transaction: we talk to a standby, a failover is under way
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name
  '53000', // insufficient_resources
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '55P03', // lock_not_available
  '57014', // query_canceled: statement_timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
])
/** Two transactions stood in each other's way; running one again helps. */
const CONFLICT_CODES = new Set(['40001', '40P01'])
const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
])
/** Sentences of `pg` and its pool, whose errors of this kind carry no code. */
const CONNECTION_SENTENCES =
  /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Cannot use a pool after calling end|Client was closed|not queryable|server does not support SSL|Query read timeout/

export const UNIQUE_VIOLATION = '23505'
export const UNDEFINED_TABLE = '42P01'

/** @returns PostgreSQL's five-character code, where the error has one */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** @returns the name of the constraint that was violated */
export function violatedConstraint(error: unknown): string | undefined {
  const constraint = (error as { constraint?: unknown } | null)?.constraint
  return typeof constraint === 'string' ? constraint : undefined
}

export function isTransactionConflict(error: unknown): boolean {
  const cause = error instanceof GatewayError ? error.cause : error
  const state = sqlState(cause)
  return state !== undefined && CONFLICT_CODES.has(state)
}

/**
 * @returns `storage_unavailable` for everything that says more of the connection or the server than of the
 *   statement; any other error as it is: it is a defect, or a violation that its caller knows how to name
 */
export function toStorageError(error: unknown): unknown {
  if (error instanceof GatewayError || !(error instanceof Error)) return error
  const state = sqlState(error)
  const unavailable =
    state !== undefined
      ? state.startsWith('08') || UNAVAILABLE_CODES.has(state) || CONFLICT_CODES.has(state)
      : NETWORK_CODES.has(String((error as NodeJS.ErrnoException).code)) ||
        CONNECTION_SENTENCES.test(error.message)
  if (!unavailable) return error
  return new GatewayError('storage_unavailable', {
    message: 'The database is not available at the moment.',
    detail: { reason: error.message, ...(state === undefined ? {} : { sqlState: state }) },
    retryAfterSeconds: 1,
    cause: error,
  })
}
