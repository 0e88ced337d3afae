import { createDrainer } from '../../src/ledger/journal-drainer.ts'
import type { Journal } from '../../src/ledger/ports.ts'
import { openFileJournal } from '../../src/storage/file-journal.ts'
import { ledgerRow } from '../../src/storage/ledger-row-fixture.ts'
import { createLedgerStore } from '../../src/storage/ledger-store.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { openRedis, untilReady } from '../../src/storage/redis-connection.ts'
import { openRedisJournal } from '../../src/storage/redis-journal.ts'

/**
 * A process to be killed: `journal-writer.ts <round> <journal> <database>`, where the journal is a directory, or a
 * Redis with its namespace behind `#`. It takes rows as fast as the journal
 * lets go of them, from the first moment on, and brings them to the ledger. It prints `+ <id>` for each that is
 * confirmed, and `= <rows>` for each batch that the ledger has committed.
 */
const [round = '', address = '', database = ''] = process.argv.slice(2)
const BURST_ROWS = 5

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function openJournal(): Promise<Journal> {
  if (!address.startsWith('redis:')) {
    return openFileJournal({ directory: address, logger, segmentBytesMax: 20_000, windowRowsMax: 200 })
  }
  const [url = '', namespace = ''] = address.split('#')
  const connect = async () => {
    const redis = openRedis({ url, commandTimeoutMs: 5000, onError: (error) => print(`! ${error}`) })
    await untilReady(redis, 5000)
    return redis
  }
  const options = { client: await connect(), wire: await connect() }
  return openRedisJournal({ ...options, logger, namespace, takeoverMs: 100 })
}

async function drain(journal: Journal): Promise<void> {
  const store = createLedgerStore(
    await openDatabase(database.startsWith('postgres') ? { url: database } : { dataDir: database }),
  )
  createDrainer({
    journal,
    store: {
      async write(rows) {
        await store.write(rows)
        print(`= ${rows.length}`)
      },
    },
    batchRowsMax: 50,
    lingerMs: 10,
    pollMs: 50,
    closeMs: 0,
    onError: (error) => print(`! ${String(error)}`),
    onRefused: (row, error) => print(`! ${row.id} ${String(error)}`),
  })
}

const logger = {
  info() {},
  warn: (_: object, message: string) => print(`? ${message}`),
  error: (_: object, message: string) => print(`! ${message}`),
}
const journal = await openJournal()
void drain(journal)
for (let n = 0; ; n += BURST_ROWS) {
  const ids = Array.from({ length: BURST_ROWS }, (_, index) => `${round}-${n + index}`)
  for (const id of ids) journal.append(ledgerRow({ id, userId: `user-${n % 3}` }))
  // Every other time it goes on without waiting for the disk.
  await (n % 2 === 0 ? journal.handedOver() : journal.appended())
  for (const id of ids) print(`+ ${id}`)
}
