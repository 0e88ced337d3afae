/**
 * Escapes that PostgreSQL refuses in `jsonb`, and in `json` once it is taken apart: the zero character and halves of
 * surrogate pairs (https://www.postgresql.org/docs/15/datatype-json.html). JSON.stringify writes whole pairs as they
 * are, so an escape of this kind always is a half. Any other escape is matched to step over it.
 */
const ESCAPE = /\\(u0000|ud[89a-f][0-9a-f]{2}|[\s\S])/g
const REFUSED = /\\u(0000|d[89a-f])/

/** @returns JSON text that PostgreSQL takes: zero characters go, halves of surrogate pairs become U+FFFD */
export function toStorableJson(value: unknown): string {
  const json = JSON.stringify(value)
  if (!REFUSED.test(json)) return json
  return json.replace(ESCAPE, (whole, kind: string) => {
    if (kind === 'u0000') return ''
    return kind.length > 1 ? '\ufffd' : whole
  })
}
