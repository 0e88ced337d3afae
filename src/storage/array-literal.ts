/** @returns a text as an item of an array literal (https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO) */
export function quoteArrayItem(text: string): string {
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`
}
