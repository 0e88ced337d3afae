/**
 * The simulator's tokens. One rule for every wire format, simple enough to be worked out by hand:
 *
 * - letters, digits, `_` and everything outside ASCII form words; a word costs one token per four characters begun;
 * - every other visible character is one token;
 * - white space is free and travels with the token that follows it;
 * - a text that is not empty costs at least one token.
 */

/** What a picture, a sound or a document in a prompt costs; the figures are round, not any provider's. */
export const MEDIA_TOKENS = { image: 85, audio: 50, file: 100 } as const

/** @returns how many tokens the text costs */
export function countTokens(text: string): number {
  let count = 0
  let wordLength = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (isWordCode(code)) {
      // The second half of a surrogate pair belongs to the first: a token never cuts a character in two.
      if (code >= 0xdc00 && code <= 0xdfff) continue
      if ((wordLength & 3) === 0) count++
      wordLength++
    } else {
      wordLength = 0
      if (code > 32) count++
    }
  }
  return count === 0 && text !== '' ? 1 : count
}

/** @returns the tokens themselves: joined they are the text, and their number is `countTokens` */
export function toTokens(text: string): string[] {
  const tokens: string[] = []
  let start = 0
  let wordLength = 0
  let begun = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const isWord = isWordCode(code)
    if (isWord && code >= 0xdc00 && code <= 0xdfff) continue
    const begins = isWord ? (wordLength & 3) === 0 : code > 32
    wordLength = isWord ? wordLength + 1 : 0
    if (begins) {
      // White space seen since the last token goes to this one.
      let cut = i
      while (cut > start && text.charCodeAt(cut - 1) <= 32) cut--
      if (begun) {
        tokens.push(text.slice(start, cut))
        start = cut
      }
      begun = true
    }
  }
  if (text !== '') tokens.push(text.slice(start))
  return tokens
}

/** @returns the first `tokensMax` tokens of the text */
export function firstTokens(text: string, tokensMax: number): string {
  if (text.length <= tokensMax) return text
  if (tokensMax <= 0) return ''
  const tokens = toTokens(text)
  return tokens.length <= tokensMax ? text : tokens.slice(0, tokensMax).join('')
}

/** Several tokens that leave together. */
export interface TokenGroup {
  readonly text: string
  readonly tokens: readonly string[]
}

/** @returns the text word by word: a group ends where white space begins */
export function toWords(text: string): TokenGroup[] {
  const groups: { text: string; tokens: string[] }[] = []
  let last: { text: string; tokens: string[] } | undefined
  for (const token of toTokens(text)) {
    if (last === undefined || token.charCodeAt(0) <= 32) {
      last = { text: token, tokens: [token] }
      groups.push(last)
    } else {
      last.text += token
      last.tokens.push(token)
    }
  }
  return groups
}

/** @returns the text in groups of at most `size` tokens */
export function toGroups(text: string, size: number): TokenGroup[] {
  const tokens = toTokens(text)
  const groups: TokenGroup[] = []
  for (let i = 0; i < tokens.length; i += size) {
    const group = tokens.slice(i, i + size)
    groups.push({ text: group.join(''), tokens: group })
  }
  return groups
}

function isWordCode(code: number): boolean {
  if (code >= 128) return true
  return (
    (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95
  )
}
