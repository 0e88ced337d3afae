import { ledgerRow } from '../../src/storage/ledger-row-fixture.ts'
import { createLedgerStore } from '../../src/storage/ledger-store.ts'
import { openDatabase } from '../../src/storage/open-database.ts'

/** A process to be killed: writes rows one by one into the data directory of its argument, and prints each id once it is stored. */
const database = await openDatabase({ dataDir: process.argv[2] })
const store = createLedgerStore(database)
for (let n = 0; ; n++) {
  const id = `row-${n}`
  await store.write([ledgerRow({ id, userId: `user-${n % 3}` })])
  process.stdout.write(`${id}\n`)
}
