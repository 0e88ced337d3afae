import pg from 'pg'

/** Object identifiers of PostgreSQL's own types (https://github.com/postgres/postgres/blob/REL_15_0/src/include/catalog/pg_type.dat). */
const INT8 = 20
const DATE = 1082
const INT8_ARRAY = 1016

/**
 * How columns become JavaScript values, the same for both databases: `bigint` is a number, and a `bigint` of
 * JavaScript where it is no safe integer, so that nothing is rounded in silence; `numeric` is a string;
 * `timestamptz` a Date; `date` a string `YYYY-MM-DD` (a Date would mean a moment); `jsonb` what it holds.
 */
export function createTypeParsers(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides()
  types.setTypeParser(INT8, toInteger)
  types.setTypeParser(DATE, (text: string) => text)
  types.setTypeParser(INT8_ARRAY, toIntegers)
  return types
}

function toInteger(text: string): number | bigint {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}

/** Numbers need no quoting, so an array of them is simple. */
function toIntegers(text: string): (number | bigint | null)[] {
  const items = text.slice(1, -1)
  return items === '' ? [] : items.split(',').map((item) => (item === 'NULL' ? null : toInteger(item)))
}
