/**
 * Custom tools take free text, functions take JSON. In the neutral model a custom tool is a function with one
 * string parameter, `input`; these functions wrap and unwrap that text.
 */

export const CUSTOM_INPUT_PARAMETERS: Readonly<Record<string, unknown>> = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as plain text.' } },
  required: ['input'],
  additionalProperties: false,
}

/** @returns the neutral arguments of a custom tool's call */
export function wrapCustomInput(input: string): string {
  return JSON.stringify({ input })
}

/**
 * @returns the text a custom tool was called with. A model that did not keep to the schema loses nothing: a bare
 *   JSON string is that string, and anything else is handed over as it was written.
 */
export function unwrapCustomInput(argumentsText: string): string {
  let parsed: unknown
  try {
    parsed = JSON.parse(argumentsText)
  } catch {
    return argumentsText
  }
  if (typeof parsed === 'string') return parsed
  if (
    typeof parsed === 'object' &&
    parsed !== null &&
    'input' in parsed &&
    typeof parsed.input === 'string'
  ) {
    return parsed.input
  }
  return argumentsText
}

const PREFIX = /^\s*\{\s*"input"\s*:\s*"/
/** A model writes the prefix in some twenty characters; one that has not by now writes something else. */
const PREFIX_LENGTH_MAX = 256
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

/**
 * Reads the text out of the arguments while they arrive, so that the client sees a patch grow instead of
 * waiting for the end of it. Give every fragment to `push`, then the whole text to `finish`.
 */
export class CustomInputReader {
  /** What was handed out so far. */
  private emitted = ''
  /** Not yet decoded: the start of the object, or half an escape. */
  private pending = ''
  private phase: 'prefix' | 'text' | 'over' = 'prefix'

  /** @returns the text that the fragment completed, possibly `''` */
  push(fragment: string): string {
    if (this.phase === 'over') return ''
    this.pending += fragment
    if (this.phase === 'prefix' && !this.skipPrefix()) return ''
    const text = this.decode()
    this.emitted += text
    return text
  }

  /** @returns the complete text, and what of it was not handed out yet */
  finish(argumentsText: string): { readonly input: string; readonly rest: string } {
    const input = unwrapCustomInput(argumentsText)
    // Cut arguments are no JSON: then what was read so far is all there is.
    if (!input.startsWith(this.emitted)) return { input: this.emitted, rest: '' }
    return { input, rest: input.slice(this.emitted.length) }
  }

  private skipPrefix(): boolean {
    const match = PREFIX.exec(this.pending)
    if (match === null) {
      if (this.pending.length > PREFIX_LENGTH_MAX) this.phase = 'over'
      return false
    }
    this.pending = this.pending.slice(match[0].length)
    this.phase = 'text'
    return true
  }

  private decode(): string {
    const source = this.pending
    let text = ''
    let position = 0
    while (position < source.length) {
      const character = source.charAt(position)
      if (character === '"') {
        this.phase = 'over'
        break
      }
      if (character !== '\\') {
        text += character
        position++
        continue
      }
      const kind = source.charAt(position + 1)
      const length = kind === 'u' ? 6 : 2
      if (kind === '' || position + length > source.length) break
      text +=
        kind === 'u'
          ? String.fromCharCode(Number.parseInt(source.slice(position + 2, position + 6), 16))
          : (ESCAPES[kind] ?? kind)
      position += length
    }
    this.pending = this.phase === 'over' ? '' : source.slice(position)
    return text
  }
}
