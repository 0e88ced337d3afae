import { distance } from 'fastest-levenshtein'

/**
 * @returns the one of `known` that `written` was most likely meant to be, or `undefined`. Case, dashes and
 *   underscores do not count: `api_key` is `apiKey`
 */
export function nearest(written: string, known: Iterable<string>): string | undefined {
  const target = plain(written)
  // A third of the word may be wrong: `prot` is `port`, but `url` is not `api`.
  let best = Math.max(1, Math.floor(target.length / 3)) + 1
  let found: string | undefined
  for (const name of known) {
    const away = isSwap(target, plain(name)) ? 1 : distance(target, plain(name))
    if (away < best) {
      best = away
      found = name
    }
  }
  return found
}

/** @returns ` Did you mean …?` with a blank before it, or nothing */
export function didYouMean(written: string, known: Iterable<string>): string {
  const found = nearest(written, known)
  return found === undefined ? '' : ` Did you mean \`${found}\`?`
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

/** Two neighbouring letters changed places: the commonest slip, which counts as two edits otherwise. */
function isSwap(first: string, second: string): boolean {
  if (first.length !== second.length) return false
  const at = [...first].findIndex((letter, i) => letter !== second[i])
  const swapped = `${first.slice(0, at)}${first[at + 1] ?? ''}${first[at] ?? ''}${first.slice(at + 2)}`
  return at >= 0 && swapped === second
}
