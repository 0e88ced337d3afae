import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { administer, withDatabase } from './postgres-template.ts'

/** Named by tests that are skipped without PostgreSQL. */
export const NO_POSTGRES = 'PostgreSQL 15 is not installed and TEST_DATABASE_URL is not set'
/** Named by tests that are skipped without Redis. */
export const NO_REDIS = 'Redis is not installed and TEST_REDIS_URL is not set'

export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

export interface TestDataDirectory {
  readonly folder: string
  remove(): void
}

/** @returns a fresh, migrated database on the run's PostgreSQL; `undefined` where there is none */
export async function createDatabase(): Promise<TestDatabase | undefined> {
  const server = await ask<{ adminUrl: string; template: string }>('/postgres')
  if (server === null) return undefined
  const name = `gatehouse_test_${randomUUID().replaceAll('-', '')}`
  await administer(server.adminUrl, `CREATE DATABASE ${name} TEMPLATE ${server.template}`)
  return {
    url: withDatabase(server.adminUrl, name),
    drop: () => administer(server.adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

/** @returns a fresh data directory whose embedded database is migrated */
export async function createDataDirectory(): Promise<TestDataDirectory> {
  const template = await ask<{ folder: string }>('/embedded')
  if (template === null) throw new Error('There is no embedded database.')
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-data-'))
  cpSync(template.folder, folder, { recursive: true })
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** @returns the run's Redis, which all test files share; `undefined` where there is none */
export async function redisUrl(): Promise<string | undefined> {
  return (await ask<{ url: string }>('/redis'))?.url
}

async function ask<Answer>(path: string): Promise<Answer | null> {
  const response = await fetch(inject('servicesUrl') + path)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as Answer | null
}
