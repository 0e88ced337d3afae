/** Ids of providers are short and plain; anything else was never stored. */
export function isId(id: string): boolean {
  return /^[\w.:~-]{1,200}$/.test(id)
}
