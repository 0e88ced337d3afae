import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

export interface QueryResult<Row> {
  readonly rows: Row[]
  /** Rows read or written. */
  readonly count: number
}

/** A statement that the embedded database plans once, under its name. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Rows and the statements that go with them: all of it happens, or nothing. */
export interface BulkWrite {
  /** `COPY … FROM STDIN BINARY`. */
  readonly copy: Statement
  /** One CopyData message of the protocol. */
  readonly rows: Uint8Array
  readonly then: readonly { readonly statement: Statement; readonly parameters: readonly string[] }[]
}

export interface Queryable {
  /**
   * @param parameters arrays become PostgreSQL arrays; what goes into a `jsonb` column comes as JSON text
   * @throws GatewayError `storage_unavailable`; or the database's own error about the statement
   */
  query<Row = Record<string, unknown>>(
    sql: string | Statement,
    parameters?: readonly unknown[],
  ): Promise<QueryResult<Row>>
}

export type NotificationHandler = (payload: string) => void

export interface Database extends Queryable {
  readonly kind: 'postgres' | 'embedded'
  readonly kysely: Kysely<Schema>
  /**
   * Runs `work` in one transaction; again, up to three times, where another transaction stood in its way. Inside,
   * only `transaction` may be used: the embedded database has one connection, and this is it.
   */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>
  /**
   * A transaction that can only read rows of one organization: row-level security holds back all others, whatever
   * the statements say. It cannot write.
   */
  asOrganization<Result>(
    organizationId: string,
    work: (transaction: Queryable) => Promise<Result>,
  ): Promise<Result>
  /** Keeps one connection for `work`, without a transaction: for session locks and migrations. */
  session<Result>(work: (session: Queryable) => Promise<Result>): Promise<Result>
  /** Copies rows and runs statements in one transaction and one trip; see `bulk-write.ts`. */
  bulkWrite(write: BulkWrite): Promise<void>
  /**
   * Calls `handler` with each payload sent to `channel`, from any process. Resolves once it hears.
   *
   * @param onReconnect after the connection was lost and found again: what was sent in between is not repeated
   * @param onLost when the connection is lost
   * @returns stops listening
   */
  listen(
    channel: string,
    handler: NotificationHandler,
    onReconnect?: () => void,
    onLost?: () => void,
  ): Promise<() => Promise<void>>
  notify(channel: string, payload: string): Promise<void>
  /** Resolves when the database answers. @throws GatewayError `storage_unavailable`, also when `signal` aborts */
  health(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
