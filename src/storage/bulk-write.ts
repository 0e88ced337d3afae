import type pg from 'pg'
import type { BulkWrite, Statement } from './database.ts'
import { toStorageError } from './storage-error.ts'

/** What a submitted query sees of pg's connection; its types leave it out. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void; write(bytes: Uint8Array): void }
  close(message: { type: 'S'; name: string }): void
  parse(message: { name: string; text: string; types: readonly number[] }): void
  bind(message: { statement: string; values: readonly unknown[] }): void
  execute(message: { portal: string; rows: number }): void
  endCopyFrom(): void
  sync(): void
}

/** Statements that a connection has parsed, by name. */
const parsedBy = new WeakMap<Wire, Set<string>>()

/**
 * Sends everything in one go. Statements of the extended protocol up to one Sync are one transaction
 * (https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY), and copy data may follow without
 * waiting: after an error the server drops what it does not need any more.
 *
 * @throws GatewayError `storage_unavailable`; or the database's own error
 */
export function sendBulkWrite(client: pg.ClientBase, write: BulkWrite): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let failed = false
    const statements = [write.copy, ...write.then.map(({ statement }) => statement)]
    let wire: Wire | undefined
    const query = {
      submit(connection: unknown) {
        wire = connection as Wire
        submit(wire, write)
        return null
      },
      handleRowDescription() {},
      handleDataRow() {},
      handleCommandComplete() {},
      handleEmptyQuery() {},
      handlePortalSuspended() {},
      handleCopyInResponse() {},
      handleCopyData() {},
      handleError(error: Error) {
        failed = true
        if (wire !== undefined) parsedBy.delete(wire)
        reject(toStorageError(error))
      },
      handleReadyForQuery() {
        if (failed || wire === undefined) return
        parsedBy.set(wire, new Set([...(parsedBy.get(wire) ?? []), ...statements.map(({ name }) => name)]))
        resolve()
      },
    }
    client.query(query as unknown as pg.Submittable)
  })
}

function submit(wire: Wire, write: BulkWrite): void {
  const parsed = parsedBy.get(wire)
  const run = (statement: Statement, values: readonly unknown[]) => {
    // Names of our own: pg keeps another record of what it has parsed itself.
    const name = `bulk-${statement.name}`
    if (!parsed?.has(statement.name)) {
      // Closing what is not there is no error, and parsing a name twice is one.
      wire.close({ type: 'S', name })
      wire.parse({ name, text: statement.text, types: [] })
    }
    wire.bind({ statement: name, values })
    wire.execute({ portal: '', rows: 0 })
  }
  wire.stream.cork()
  try {
    run(write.copy, [])
    wire.stream.write(write.rows)
    wire.endCopyFrom()
    for (const { statement, parameters } of write.then) run(statement, parameters)
    wire.sync()
  } finally {
    wire.stream.uncork()
  }
}
