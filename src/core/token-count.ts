import type {
  countTokens as CountTokens,
  setMergeCacheSize as SetMergeCacheSize,
} from 'gpt-tokenizer/encoding/o200k_base'

export type Encoding = 'o200k_base' | 'cl100k_base'

/**
 * Characters counted at a time. The merging of a run without spaces takes time with the square of its length:
 * 1,024 characters of the worst kind take 4 ms, 16,000 take two seconds (gpt-tokenizer 4.0.0, measured 2026-11-21).
 */
const SLICE_CHARS = 1024

/** After so many slices others get their turn: 16 ms at the very worst, under a millisecond of prose. */
const SLICES_PER_TURN = 4

/** Longer texts are counted up to here and the rest by proportion: about 250,000 tokens of prose. */
const COUNTED_CHARS_MAX = 1 << 20

/** Merges remembered per encoding, each of a run no longer than a slice. */
const MERGES_MAX = 5000

/** Nothing in a caller's text is a special token, so `<|endoftext|>` counts as the characters it is made of. */
const AS_TEXT = { disallowedSpecial: new Set<string>() }

interface Tokenizer {
  readonly countTokens: typeof CountTokens
  readonly setMergeCacheSize: typeof SetMergeCacheSize
}

const loading: Partial<Record<Encoding, Promise<Tokenizer>>> = {}

/**
 * @returns the encoding a model of OpenAI counts with, by the table of tiktoken (`tiktoken/model.py`, read
 *   2026-11-21). Other makers' models have tokenizers of their own; o200k_base comes closest
 */
export function encodingOf(model: string): Encoding {
  const name = model.toLowerCase().slice(model.lastIndexOf('/') + 1)
  return /^(?:ft:)?(?:gpt-3\.?5|gpt-4(?![.\d]|o)|text-embedding-)/.test(name) ? 'cl100k_base' : 'o200k_base'
}

/**
 * @param texts counted each by itself, as if something stood between them
 * @returns tokens of all texts together, as the model's tokenizer counts them: exact where a space stands at least
 *   every 1,024 characters, a few tokens off where not, by proportion beyond a million characters. Loads the
 *   tokenizer on first use, which takes a third of a second and 30 MB
 */
export async function countTokens(texts: readonly string[], encoding: Encoding): Promise<number> {
  const tokenizer = await loadTokenizer(encoding)
  let total = 0
  let seen = 0
  let slices = 0
  for (const text of texts) {
    for (let start = 0; start < text.length && seen < COUNTED_CHARS_MAX; ) {
      const end = sliceEnd(text, start)
      total += tokenizer.countTokens(text.slice(start, end), AS_TEXT)
      seen += end - start
      start = end
      slices++
      if (slices % SLICES_PER_TURN === 0) await nextTurn()
    }
  }
  const length = texts.reduce((sum, text) => sum + text.length, 0)
  return seen >= length ? total : Math.ceil((total * length) / seen)
}

/**
 * @returns where a slice may end: before a single space between two words, because there a token always begins, or
 *   at the slice's full length where there is none
 */
function sliceEnd(text: string, start: number): number {
  const full = start + SLICE_CHARS
  if (full >= text.length) return text.length
  for (let at = full; at > start; at--) {
    if (
      text.charCodeAt(at) === 32 &&
      !isSpace(text.charCodeAt(at - 1)) &&
      !isSpace(text.charCodeAt(at + 1))
    ) {
      return at
    }
  }
  const last = text.charCodeAt(full - 1)
  return last >= 0xd800 && last < 0xdc00 ? full - 1 : full
}

/** Wider than the tokenizer's own notion, which only makes fewer places to cut. */
function isSpace(code: number): boolean {
  return code <= 32 || (code >= 0x85 && code <= 0xa0) || (code >= 0x1680 && code <= 0x3000) || code === 0xfeff
}

function loadTokenizer(encoding: Encoding): Promise<Tokenizer> {
  const started = loading[encoding]
  if (started !== undefined) return started
  const load = importTokenizer(encoding).then((tokenizer) => {
    tokenizer.setMergeCacheSize(MERGES_MAX)
    return tokenizer
  })
  loading[encoding] = load
  // A failed load is forgotten, so that the next count tries again.
  load.catch(() => {
    delete loading[encoding]
  })
  return load
}

function importTokenizer(encoding: Encoding): Promise<Tokenizer> {
  return encoding === 'o200k_base'
    ? import('gpt-tokenizer/encoding/o200k_base')
    : import('gpt-tokenizer/encoding/cl100k_base')
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
