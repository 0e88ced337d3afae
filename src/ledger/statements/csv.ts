/**
 * A cell: text, which spreadsheets must not take for a formula; or a number of ours, which may begin with a minus.
 */
export type Cell = string | number | bigint | null | { readonly exact: string }

/**
 * What makes a spreadsheet compute a cell instead of showing it: the four signs, their full-width forms, and a tab or
 * line break before them (https://owasp.org/www-community/attacks/CSV_Injection).
 */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u
const NEEDS_QUOTES = /[",\r\n]/

/**
 * @returns one record of RFC 4180 with its line break. A text that a spreadsheet would compute gets an apostrophe in
 *   front, which spreadsheets take for "this is text"
 */
export function toCsvRecord(cells: readonly Cell[]): string {
  return `${cells.map(toField).join(',')}\r\n`
}

function toField(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number' || typeof cell === 'bigint') return String(cell)
  if (typeof cell === 'object') return cell.exact
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
