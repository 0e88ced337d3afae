import { maskSecrets } from './mask.ts'

/** A piece of one line: what an error shows below its message. */
export interface Excerpt {
  readonly text: string
  /** Where the caret begins, from 0. */
  readonly caret: number
  readonly width: number
}

export interface Excerpts {
  /** From now on these pieces are shown as asterisks. */
  hide(ranges: readonly { readonly start: number; readonly end: number }[]): void
  /** @returns the line, or the part of a very long one around `column`; both count from 1 */
  at(line: number, column: number, width: number): Excerpt
}

/** JSON may stand on a single line. */
const SHOWN_MAX = 160
const BEFORE_MAX = 60

export function createExcerpts(text: string): Excerpts {
  let shown = text
  let lines: string[] | undefined
  const masked = new Map<number, string>()

  const lineAt = (line: number): string => {
    lines ??= shown.split(/\r\n|\n|\r/)
    const known = masked.get(line) ?? maskSecrets(lines[line - 1] ?? '')
    masked.set(line, known)
    return known
  }

  return {
    hide(ranges) {
      const pieces: string[] = []
      let position = 0
      for (const { start, end } of ranges.toSorted((one, other) => one.start - other.start)) {
        if (start < position) continue
        pieces.push(shown.slice(position, start), shown.slice(start, end).replace(/[^\r\n]/g, '*'))
        position = end
      }
      shown = pieces.join('') + shown.slice(position)
      lines = undefined
      masked.clear()
    },
    at(line, column, width) {
      const whole = lineAt(line)
      const start = whole.length <= SHOWN_MAX ? 0 : Math.max(0, column - 1 - BEFORE_MAX)
      const before = start === 0 ? '' : '…'
      const after = whole.length > start + SHOWN_MAX ? '…' : ''
      const piece = before + whole.slice(start, start + SHOWN_MAX) + after
      const caret = column - 1 - start + before.length
      return { text: piece, caret, width: Math.max(1, Math.min(width, piece.length - caret)) }
    },
  }
}
