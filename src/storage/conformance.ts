import { afterAll, beforeAll, describe } from 'vitest'
import { testDatabase } from './conformance/database-cases.ts'
import { testIdentityStore } from './conformance/identity-cases.ts'
import { testLedgerStore } from './conformance/ledger-cases.ts'
import { testMigrations } from './conformance/migration-cases.ts'
import { testOrganizationScope } from './conformance/scope-cases.ts'
import { testUsage } from './conformance/usage-cases.ts'
import type { Database } from './database.ts'

/** A migrated database that nobody else uses, opened for one suite. */
export interface ConformanceTarget {
  readonly database: Database
  /** Removes it; the database is closed by then. */
  remove(): Promise<void>
}

/** What every `Database` has to do, and everything that stands on one. */
export function describeStorage(name: string, open: () => Promise<ConformanceTarget>): void {
  describe(name, () => {
    let target: ConformanceTarget | undefined
    beforeAll(async () => {
      target = await open()
    }, 60_000)
    afterAll(async () => {
      await target?.database.close()
      await target?.remove()
    })
    const database = () => {
      if (target === undefined) throw new Error('The database is not open.')
      return target.database
    }
    testDatabase(database)
    testOrganizationScope(database)
    testIdentityStore(database)
    testLedgerStore(database)
    testUsage(database)
    // Last: these take the tables away and bring them back.
    testMigrations(database)
  })
}
