import { describe, it } from 'vitest'
import { createDatabase, NO_POSTGRES } from '../../test/support/services.ts'
import { describeStorage } from './conformance.ts'
import { openDatabase } from './open-database.ts'

const target = await createDatabase()

if (target === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`conformance: ${NO_POSTGRES}`, () => {})
  })
} else {
  describeStorage('PostgreSQL', async () => ({
    database: await openDatabase({ url: target.url }),
    remove: target.drop,
  }))
}
