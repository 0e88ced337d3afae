import { describe, expect, it } from 'vitest'
import { migrateCommand } from '../commands.ts'
import type { Database } from '../database.ts'
import { migrate, migrationPlan, migrationStatus, rollback } from '../migrate.ts'
import { loadMigrations, type Migration } from '../migration-files.ts'

const SHAPE = `
  SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
  WHERE table_schema = 'public' AND table_name NOT LIKE 'ledger\\_2%' ORDER BY 1, 2`

function extended(): Migration[] {
  const migrations = loadMigrations()
  return [
    ...migrations,
    {
      version: migrations.length + 1,
      name: 'more',
      up: '-- no transaction\nCREATE TABLE more (id text);\nCREATE INDEX CONCURRENTLY more_id ON more (id);',
      down: 'DROP TABLE more;',
      checksum: 'of-more',
      inTransaction: false,
    },
  ]
}

export function testMigrations(database: () => Database): void {
  describe('migrate()', () => {
    it('migrate() has nothing to do where all is applied', async () => {
      expect(await migrate(database())).toEqual([])
    })

    it('rollback() takes everything back, and migrate() brings the same back', async () => {
      const latest = loadMigrations().length
      const before = await database().query(SHAPE)
      expect(await rollback(database(), { to: 0 })).toEqual(
        Array.from({ length: latest }, (_, n) => latest - n),
      )
      const empty = await database().query<{ table_name: string }>(SHAPE)
      expect(new Set(empty.rows.map(({ table_name }) => table_name))).toEqual(new Set(['schema_migrations']))
      const { rows: functions } = await database().query(
        `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'gatehouse%'`,
      )
      expect(functions).toEqual([])
      await migrate(database())
      expect((await database().query(SHAPE)).rows).toEqual(before.rows)
    })

    it('migrate() by several processes at once applies each step once', async () => {
      await rollback(database(), { to: 0 })
      const latest = loadMigrations().length
      const applied = await Promise.all([migrate(database()), migrate(database()), migrate(database())])
      expect(applied.flat().sort()).toEqual(Array.from({ length: latest }, (_, n) => n + 1))
    })

    it('migrate() runs a step without a transaction where its file asks for it', async () => {
      const migrations = extended()
      const latest = migrations.length
      expect(await migrate(database(), { migrations })).toEqual([latest])
      await database().query(`INSERT INTO more (id) VALUES ('x')`)
      expect(await rollback(database(), { migrations })).toEqual([latest])
    })

    it('migrate() refuses a database that is newer than the build', async () => {
      const migrations = extended()
      await migrate(database(), { migrations })
      await expect(migrate(database())).rejects.toMatchObject({ code: 'conflict' })
      await expect(migrationStatus(database())).rejects.toThrow(/start the newer build/)
      await rollback(database(), { migrations })
    })

    it('migrate() refuses an applied file that was changed', async () => {
      const migrations = loadMigrations().map((migration) => ({ ...migration, checksum: 'another' }))
      await expect(migrate(database(), { migrations })).rejects.toThrow(/was changed after it was applied/)
    })

    it('migrate() leaves nothing of a step that fails', async () => {
      const broken = extended().map((migration) =>
        migration.name === 'more'
          ? { ...migration, inTransaction: true, up: 'CREATE TABLE half (id int); SELECT 1 / 0;' }
          : migration,
      )
      await expect(migrate(database(), { migrations: broken })).rejects.toMatchObject({ code: '22012' })
      const { rows } = await database().query(`SELECT to_regclass('half') AS half`)
      expect(rows).toEqual([{ half: null }])
      expect(await migrate(database())).toEqual([])
    })

    it('migrationPlan() names the locks on tables that are there already', async () => {
      const migrations = extended().map((migration) =>
        migration.name === 'more'
          ? {
              ...migration,
              up: 'CREATE TABLE more (id int); ALTER TABLE more ADD x int; ALTER TABLE ledger ADD x int; CREATE INDEX i ON ledger (x);',
            }
          : migration,
      )
      const plan = await migrationPlan(database(), { migrations })
      expect(plan.map(({ lock, blocks }) => [lock, blocks])).toEqual([
        ['none', 'nothing'],
        ['none', 'nothing'],
        ['ACCESS EXCLUSIVE', 'reads and writes'],
        ['SHARE', 'writes'],
      ])
    })
  })

  describe('migrateCommand()', () => {
    it('migrateCommand() status says what is applied', async () => {
      const { text, json, exitCode } = await migrateCommand(database(), { action: 'status' })
      const latest = loadMigrations().length
      expect(exitCode).toBe(0)
      expect(text).toContain(`Schema version ${latest} of ${latest}.`)
      expect(json).toMatchObject({ current: latest, latest })
    })

    it('migrateCommand() changes nothing on a dry run', async () => {
      const latest = loadMigrations().length
      const down = await migrateCommand(database(), { action: 'down', to: 0, dryRun: true })
      expect(down.text).toContain('Would take back')
      expect((await migrationStatus(database())).current).toBe(latest)
      await rollback(database(), { to: 0 })
      const up = await migrateCommand(database(), { action: 'up', dryRun: true })
      expect(up.text).toContain('CREATE TABLE ledger')
      expect((await migrationStatus(database())).current).toBe(0)
      const done = await migrateCommand(database(), { action: 'up' })
      expect(done.json).toEqual({ applied: Array.from({ length: latest }, (_, n) => n + 1) })
    })

    it('migrateCommand() tells a wrong version from a problem', async () => {
      const { exitCode, text } = await migrateCommand(database(), { action: 'up', to: 99 })
      expect({ exitCode, text }).toMatchObject({
        exitCode: 2,
        text: expect.stringContaining('no schema version 99'),
      })
      const migrations = loadMigrations().map((migration) => ({ ...migration, checksum: 'another' }))
      expect((await migrateCommand(database(), { action: 'status', migrations })).exitCode).toBe(1)
    })
  })
}
