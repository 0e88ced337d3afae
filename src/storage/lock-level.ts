/** What a statement of a migration keeps others from doing while its transaction lasts. */
export interface LockLevel {
  /** PostgreSQL's name of the strongest lock on a table that exists before; `none` where no table is locked. */
  readonly lock: string
  /** Who has to wait. */
  readonly blocks: 'nothing' | 'schema changes' | 'writes' | 'reads and writes'
}

const NONE: LockLevel = { lock: 'none', blocks: 'nothing' }
const ACCESS_SHARE: LockLevel = { lock: 'ACCESS SHARE', blocks: 'nothing' }
const ROW_EXCLUSIVE: LockLevel = { lock: 'ROW EXCLUSIVE', blocks: 'nothing' }
const SHARE_UPDATE_EXCLUSIVE: LockLevel = { lock: 'SHARE UPDATE EXCLUSIVE', blocks: 'schema changes' }
const SHARE: LockLevel = { lock: 'SHARE', blocks: 'writes' }
const SHARE_ROW_EXCLUSIVE: LockLevel = { lock: 'SHARE ROW EXCLUSIVE', blocks: 'writes' }
const ACCESS_EXCLUSIVE: LockLevel = { lock: 'ACCESS EXCLUSIVE', blocks: 'reads and writes' }

/** First match counts. From https://www.postgresql.org/docs/15/explicit-locking.html and the pages of the commands. */
const RULES: readonly (readonly [RegExp, LockLevel])[] = [
  [/^(create|drop) (unique )?index concurrently|^reindex .*concurrently/, SHARE_UPDATE_EXCLUSIVE],
  [/^create (unique )?index/, SHARE],
  [/^create trigger|^create constraint trigger/, SHARE_ROW_EXCLUSIVE],
  [/^create (policy|rule)|^(alter|drop) (policy|trigger|rule)/, ACCESS_EXCLUSIVE],
  [/^create table .*\bpartition of\b/, ACCESS_EXCLUSIVE],
  [/^create table .*\breferences\b/, SHARE_ROW_EXCLUSIVE],
  [/^create (or replace )?(view|materialized view)/, ACCESS_SHARE],
  [/^create /, NONE],
  [
    /^alter table .*\b(validate constraint|attach partition|set statistics|set \(fillfactor)/,
    SHARE_UPDATE_EXCLUSIVE,
  ],
  [/^alter table .*\badd (constraint \S+ )?foreign key\b/, SHARE_ROW_EXCLUSIVE],
  [/^alter (table|index|view)/, ACCESS_EXCLUSIVE],
  [
    /^drop (table|index|view|materialized view)|^truncate|^cluster|^vacuum full|^lock table/,
    ACCESS_EXCLUSIVE,
  ],
  [/^(vacuum|analyze)/, SHARE_UPDATE_EXCLUSIVE],
  [/^(insert|update|delete|merge|with .*\b(insert|update|delete)\b)/, ROW_EXCLUSIVE],
  [/^(select|with)/, ACCESS_SHARE],
]

/**
 * @param newTables names of tables that earlier statements of the same script made: nobody else sees them yet
 * @returns the strongest lock that the statement takes; `none` for what touches no table
 */
export function lockLevelOf(statement: string, newTables: ReadonlySet<string> = new Set()): LockLevel {
  const text = statement.toLowerCase().replace(/\s+/g, ' ').trim()
  const level = RULES.find(([pattern]) => pattern.test(text))?.[1] ?? NONE
  const table = tableOf(text)
  return table !== undefined && newTables.has(table) ? NONE : level
}

/** @returns the table that a CREATE TABLE makes */
export function createdTable(statement: string): string | undefined {
  return /^create (?:unlogged )?table (?:if not exists )?"?([\w.]+)/.exec(normal(statement))?.[1]
}

function tableOf(text: string): string | undefined {
  const created = /^create table (?:if not exists )?\S+ partition of "?([\w.]+)/.exec(text)?.[1]
  if (created !== undefined) return created
  if (text.startsWith('create table')) return undefined
  return /^(?:alter|drop|lock|truncate) table (?:if exists )?(?:only )?"?([\w.]+)|\bon (?:only )?"?([\w.]+)/
    .exec(text)
    ?.slice(1)
    .find((name) => name !== undefined)
}

function normal(statement: string): string {
  return statement.toLowerCase().replace(/\s+/g, ' ').trim()
}
