/** How a price list says which names a model answers to. */
export type MatchLogic =
  | { readonly and: readonly MatchLogic[] }
  | { readonly or: readonly MatchLogic[] }
  | { readonly contains: string }
  | { readonly ends_with: string }
  | { readonly equals: string }
  | { readonly regex: string }
  | { readonly starts_with: string }

export type Matcher = (name: string) => boolean

/**
 * @returns whether a name is meant; letters count alike whether small or capital, except in a regular expression, as
 *   genai-prices 0.1.8 reads its data
 * @throws SyntaxError where a regular expression is none
 */
export function toMatcher(logic: MatchLogic): Matcher {
  if ('or' in logic) {
    const any = logic.or.map(toMatcher)
    return (name) => any.some((matches) => matches(name))
  }
  if ('and' in logic) {
    const all = logic.and.map(toMatcher)
    return (name) => all.every((matches) => matches(name))
  }
  if ('regex' in logic) {
    const expression = new RegExp(logic.regex)
    return (name) => expression.test(name)
  }
  if ('equals' in logic) {
    const text = logic.equals.toLowerCase()
    return (name) => name.toLowerCase() === text
  }
  if ('starts_with' in logic) {
    const text = logic.starts_with.toLowerCase()
    return (name) => name.toLowerCase().startsWith(text)
  }
  if ('ends_with' in logic) {
    const text = logic.ends_with.toLowerCase()
    return (name) => name.toLowerCase().endsWith(text)
  }
  const text = logic.contains.toLowerCase()
  return (name) => name.toLowerCase().includes(text)
}
