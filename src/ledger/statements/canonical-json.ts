import { hash } from 'node:crypto'

/**
 * @returns JSON in the one form that RFC 8785 allows: no blanks, names in order, so that equal values are equal
 *   bytes. A `bigint` is written out in digits, which goes beyond that page: whoever reads it back needs whole
 *   numbers above 2⁵³
 */
export function toCanonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(toCanonicalJson).join(',')}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([first], [second]) => (first < second ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${toCanonicalJson(member)}`)
  return `{${members.join(',')}}`
}

/** @returns the digest as 64 hexadecimal digits */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}
