import { createDataDirectory } from '../../test/support/services.ts'
import { describeStorage } from './conformance.ts'
import { openDatabase } from './open-database.ts'

describeStorage('embedded database', async () => {
  const { folder, remove } = await createDataDirectory()
  return { database: await openDatabase({ dataDir: folder }), remove: async () => remove() }
})
