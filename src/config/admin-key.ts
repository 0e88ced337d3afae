export const ADMIN_KEY_CHARACTERS_MIN = 16

/** Words that stand in defaults, guides and compose files; alone or repeated they protect nothing. */
const WELL_KNOWN =
  'admin administrator changeme changeit letmein master passwd password qwerty root secret'.split(' ')

/**
 * @returns what is wrong with a root key, as the end of the sentence "the admin key …"; `undefined` where it will
 *   do. It looks for what people really write, not for entropy, so a long odd phrase passes
 */
export function adminKeyWeakness(key: string): string | undefined {
  const remedy = 'make one with: openssl rand -base64 32'
  if (key.trim() === '') {
    return `must not be empty; ${remedy}, or leave the variable unset to have one made`
  }
  if (key.length < ADMIN_KEY_CHARACTERS_MIN) {
    return `must have at least ${ADMIN_KEY_CHARACTERS_MIN} characters, this one has ${key.length}; ${remedy}`
  }
  if (isWellKnown(key)) return `must not be a well-known one; ${remedy}`
  if (isRepetition(key) || isSequence(key)) return `must not be a mere repetition or sequence; ${remedy}`
  return undefined
}

/**
 * One well-known word, alone or repeated, whatever digits and signs surround it: `Admin-admin-12345`; or the
 * `sk-1234…` of many guides.
 */
function isWellKnown(key: string): boolean {
  if (/^sk-?1234[\d-]*$/i.test(key)) return true
  const letters = key.toLowerCase().replace(/[^a-z]/g, '')
  return WELL_KNOWN.some((word) => letters === word.repeat(Math.max(1, letters.length / word.length)))
}

/** The same one to four characters over and over: `aaaa…`, `1234 1234 …`. */
function isRepetition(key: string): boolean {
  return [1, 2, 3, 4].some((period) => [...key].every((character, i) => character === key[i % period]))
}

/** Each character follows the one before: `0123456789012345`, `abcdefghijklmnop`. */
function isSequence(key: string): boolean {
  return [...key].every((character, i) => {
    if (i === 0) return true
    const step = character.charCodeAt(0) - key.charCodeAt(i - 1)
    return step === 1 || (key[i - 1] === '9' && character === '0')
  })
}
