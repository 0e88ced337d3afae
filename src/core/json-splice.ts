/**
 * Changing single members of a JSON object without writing the rest again: what a caller sent reaches the provider
 * byte for byte, but for the fields that are ours to set.
 */

/** Where the value of a top-level member stands: bytes `start` (inclusive) to `end` (exclusive). */
interface Span {
  readonly start: number
  readonly end: number
}

export interface TopLevel {
  /** Last occurrence by name. */
  readonly spans: ReadonlyMap<string, Span>
  /** A name stands twice: parsers disagree which one counts, so such a body is never forwarded as it is. */
  readonly duplicates: boolean
  /** Byte position of the closing brace. */
  readonly end: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const COMMA = 0x2c

/**
 * @param body JSON text of an object, already known to be valid
 * @returns the members of the object, one pass, without parsing their values
 */
export function scanTopLevel(body: Buffer): TopLevel {
  const spans = new Map<string, Span>()
  let duplicates = false
  let position = body.indexOf(OPEN_BRACE) + 1
  const length = body.length
  let depth = 0
  let name: string | undefined
  let valueStart = -1
  for (; position < length; position++) {
    const byte = body[position]
    if (byte === QUOTE) {
      const end = stringEnd(body, position)
      if (depth === 0 && name === undefined) name = memberName(body, position, end)
      else if (valueStart < 0) valueStart = position
      position = end - 1
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (valueStart < 0) valueStart = position
      depth++
    } else if (byte === CLOSE_BRACKET || (byte === CLOSE_BRACE && depth > 0)) {
      depth--
    } else if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACE)) {
      if (name !== undefined) {
        if (spans.has(name)) duplicates = true
        spans.set(name, { start: valueStart, end: trimEnd(body, position) })
      }
      if (byte === CLOSE_BRACE) break
      name = undefined
      valueStart = -1
    } else if (depth === 0 && valueStart < 0 && name !== undefined && byte !== COLON && !isSpace(byte)) {
      valueStart = position
    }
  }
  return { spans, duplicates, end: position }
}

/**
 * @param changes JSON text by member name; members that are missing are added at the end
 * @returns the body with the values of these members replaced
 */
export function spliceTopLevel(body: Buffer, top: TopLevel, changes: ReadonlyMap<string, string>): Buffer {
  const edits: { start: number; end: number; text: string }[] = []
  let added = ''
  for (const [name, text] of changes) {
    const span = top.spans.get(name)
    if (span === undefined)
      added += `${top.spans.size > 0 || added !== '' ? ',' : ''}${JSON.stringify(name)}:${text}`
    else edits.push({ start: span.start, end: span.end, text })
  }
  if (added !== '') edits.push({ start: top.end, end: top.end, text: added })
  edits.sort((first, second) => first.start - second.start)
  const pieces: Buffer[] = []
  let position = 0
  for (const edit of edits) {
    pieces.push(body.subarray(position, edit.start), Buffer.from(edit.text))
    position = edit.end
  }
  pieces.push(body.subarray(position))
  return Buffer.concat(pieces)
}

/** @returns the position after the closing quote of the string that opens at `start` */
function stringEnd(body: Buffer, start: number): number {
  // Short strings (names, roles) are found faster by hand, long ones (prompts) by the native search.
  const near = Math.min(body.length, start + 24)
  for (let i = start + 1; i < near; i++) {
    const byte = body[i]
    if (byte === QUOTE) return i + 1
    if (byte === BACKSLASH) i++
  }
  let quote = body.indexOf(QUOTE, start + 1)
  while (quote >= 0) {
    let slashes = 0
    while (body[quote - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return quote + 1
    quote = body.indexOf(QUOTE, quote + 1)
  }
  return body.length
}

function memberName(body: Buffer, start: number, end: number): string {
  const text = body.toString('utf8', start + 1, end - 1)
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text
}

function trimEnd(body: Buffer, end: number): number {
  let position = end
  while (isSpace(body[position - 1])) position--
  return position
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
