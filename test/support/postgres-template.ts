import pg from 'pg'
import { migrate } from '../../src/storage/migrate.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { startPostgres } from './postgres.ts'

export interface PostgresTemplate {
  /** May create databases. */
  readonly adminUrl: string
  /** Name of a migrated database that fresh ones are copied from. */
  readonly template: string
  stop(): Promise<void>
}

/** @returns a server with a migrated template; `undefined` where none is given and none installed */
export async function preparePostgres(): Promise<PostgresTemplate | undefined> {
  const given = process.env.TEST_DATABASE_URL
  const service = given ? undefined : await startPostgres()
  const adminUrl = given || service?.url
  if (adminUrl === undefined) return undefined
  const template = `gatehouse_template_${process.pid}`
  try {
    await administer(adminUrl, `CREATE DATABASE ${template}`)
    const database = await openDatabase({ url: withDatabase(adminUrl, template) })
    await migrate(database)
    await database.close()
  } catch (error) {
    await service?.stop()
    throw error
  }
  return {
    adminUrl,
    template,
    async stop() {
      if (service === undefined)
        await administer(adminUrl, `DROP DATABASE IF EXISTS ${template} WITH (FORCE)`)
      await service?.stop()
    },
  }
}

/** Runs one statement outside of any database of a test. */
export async function administer(adminUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
