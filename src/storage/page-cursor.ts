import { GatewayError } from '../core/errors.ts'

/** Where a page ended: lists are ordered by moment, then by id. */
export interface PageCursor {
  readonly at: Date
  readonly id: string
}

const LIMIT_MAX = 1000

export function encodeCursor({ at, id }: PageCursor): string {
  return Buffer.from(JSON.stringify([at.getTime(), id])).toString('base64url')
}

/** @throws GatewayError `invalid_request` where the text is none of ours */
export function decodeCursor(cursor: string | undefined): PageCursor | undefined {
  if (cursor === undefined) return undefined
  try {
    const [at, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    if (typeof at === 'number' && Math.abs(at) <= 8.64e15 && typeof id === 'string')
      return { at: new Date(at), id }
  } catch {
    // Falls through to the one answer for everything unreadable.
  }
  throw new GatewayError('invalid_request', {
    message: 'The cursor is not one of this list.',
    param: 'cursor',
  })
}

/** @returns the number of rows of a page, within 1 to 1000 */
export function toPageLimit(limit: number): number {
  return Math.min(Math.max(Math.trunc(limit) || 1, 1), LIMIT_MAX)
}

/** @param rows one more than `limit` where there is a next page */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => PageCursor,
): { data: Row[]; nextCursor: string | null } {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  return { data, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null }
}
