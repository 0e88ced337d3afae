import { describe, expect, it } from 'vitest'
import { createdTable, lockLevelOf } from './lock-level.ts'
import { splitStatements } from './sql-statements.ts'

describe('splitStatements()', () => {
  it('splitStatements() is not misled by semicolons in comments, strings, names and bodies', () => {
    const script = `
      -- first; of all
      CREATE TABLE "a;b" (x text DEFAULT 'it''s; fine'); /* between; */
      CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.x := ';'; RETURN NEW; END $$;
      DO $body$ BEGIN PERFORM '$$;'; END $body$;
      -- last;`
    expect(splitStatements(script).map((statement) => statement.slice(0, 15))).toEqual([
      'CREATE TABLE "a',
      'CREATE FUNCTION',
      'DO $body$ BEGIN',
    ])
  })
})

describe('lockLevelOf()', () => {
  it.each([
    ['CREATE INDEX CONCURRENTLY i ON t (x)', 'SHARE UPDATE EXCLUSIVE'],
    ['CREATE UNIQUE INDEX i ON t (x)', 'SHARE'],
    ['CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f()', 'SHARE ROW EXCLUSIVE'],
    ['CREATE POLICY p ON t USING (true)', 'ACCESS EXCLUSIVE'],
    ['ALTER TABLE t ADD COLUMN x int', 'ACCESS EXCLUSIVE'],
    ['ALTER TABLE t VALIDATE CONSTRAINT c', 'SHARE UPDATE EXCLUSIVE'],
    ['ALTER TABLE t ATTACH PARTITION p DEFAULT', 'SHARE UPDATE EXCLUSIVE'],
    ['CREATE TABLE n (x text REFERENCES t (x))', 'SHARE ROW EXCLUSIVE'],
    ['CREATE TABLE n (x text)', 'none'],
    ['DROP TABLE t', 'ACCESS EXCLUSIVE'],
    ['UPDATE t SET x = 1', 'ROW EXCLUSIVE'],
    ['WITH a AS (DELETE FROM t RETURNING *) SELECT 1', 'ROW EXCLUSIVE'],
    ['CREATE VIEW v AS SELECT 1', 'ACCESS SHARE'],
    ['GRANT SELECT ON t TO r', 'none'],
  ])('lockLevelOf() %s', (statement, lock) => {
    expect(lockLevelOf(statement).lock).toBe(lock)
  })

  it('lockLevelOf() a table of the same script is seen by nobody yet', () => {
    expect(createdTable('CREATE TABLE IF NOT EXISTS Fresh (x int)')).toBe('fresh')
    const fresh = new Set(['fresh'])
    expect(lockLevelOf('CREATE INDEX i ON fresh (x)', fresh).lock).toBe('none')
    expect(lockLevelOf('ALTER TABLE fresh ADD y int', fresh).lock).toBe('none')
    expect(lockLevelOf('CREATE INDEX i ON other (x)', fresh).lock).toBe('SHARE')
  })
})
