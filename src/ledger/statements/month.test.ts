import { describe, expect, it } from 'vitest'
import { parseMonth } from './month.ts'

describe('parseMonth()', () => {
  it.each([
    ['2026-02', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
    ['2024-12', '2024-12-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z'],
    ['0099-01', '0099-01-01T00:00:00.000Z', '0099-02-01T00:00:00.000Z'],
  ])('parseMonth() takes %s for a month in UTC', (text, start, end) => {
    const month = parseMonth(text)
    expect([month.name, month.start.toISOString(), month.end.toISOString()]).toEqual([text, start, end])
  })

  it.each(['', '2026', '2026-2', '2026-13', '2026-00', '2026-02-01', '26-02', '2026-02\n', "2026-02'"])(
    'parseMonth() refuses %j and names the field',
    (text) => {
      expect(() => parseMonth(text)).toThrow(
        expect.objectContaining({ code: 'invalid_request', param: 'month' }),
      )
    },
  )
})
