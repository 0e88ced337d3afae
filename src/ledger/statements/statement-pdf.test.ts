import { describe, expect, it } from 'vitest'
import { parseMonth } from './month.ts'
import type { BookedLine, Breakdown, Sums } from './ports.ts'
import { toStatement } from './statement.ts'
import { toPdf } from './statement-pdf.ts'

const sums = (cost: number): Sums => ({
  requests: cost,
  tokensInput: cost,
  tokensOutput: cost,
  tokensCached: 0,
  costNanoUsd: BigInt(cost),
  estimated: cost > 5 ? 1 : 0,
  estimatedNanoUsd: 0n,
  adjustmentNanoUsd: 0n,
})

function statementOf(name: string, lines: readonly BookedLine[], closed = true) {
  return toStatement({
    month: parseMonth('2026-02'),
    organization: { id: 'o1', name },
    state: closed ? { frozenAt: new Date('2026-03-02T09:00:00.000Z'), complete: true } : undefined,
    booked: { totals: sums(10), lines, adjustments: [{ month: '2026-01', sums: sums(1) }] },
    names: { team: new Map(), key: new Map() },
  })
}

function linesOf(count: number): BookedLine[] {
  const breakdowns: readonly Breakdown[] = [
    'team',
    'key',
    'user',
    'model',
    'operation',
    'task',
    'deal',
    'cycle',
  ]
  return breakdowns.flatMap((breakdown) =>
    Array.from({ length: count }, (_, n) => ({
      breakdown,
      values: breakdown === 'model' ? ['openai', `m${n}`] : [`${'é🙂\u0000\n'.repeat(90)}${n}`],
      others: 0,
      sums: sums(n + 1),
    })),
  )
}

function pagesOf(pdf: Uint8Array): number {
  return (
    Buffer.from(pdf)
      .toString('latin1')
      .match(/\/Type \/Page\b/g)?.length ?? 0
  )
}

describe('toPdf()', () => {
  it('toPdf() makes the same bytes of the same closed statement, whenever it is asked', async () => {
    const statement = statementOf('Acme', linesOf(3))
    const first = await toPdf([statement], new Date(0))
    expect(Buffer.from(first).subarray(0, 5).toString()).toBe('%PDF-')
    expect(Buffer.from(first).equals(await toPdf([statement], new Date(5_000_000_000)))).toBe(true)
    const other = await toPdf([statementOf('Another', linesOf(3))], new Date(0))
    expect(Buffer.from(first).equals(other)).toBe(false)
  })

  it.each([
    ['nothing used', 0, 1],
    ['a few lines', 3, 2],
    ['hundreds of lines', 300, 2],
  ])('toPdf() of %s takes at most two pages', async (_, count, pages) => {
    expect(pagesOf(await toPdf([statementOf('x'.repeat(500), linesOf(count))], new Date(0)))).toBe(pages)
  })

  it('toPdf() begins a page for each statement, and is a page where there is none', async () => {
    const empty = statementOf('Acme', [], false)
    expect(pagesOf(await toPdf([empty, empty, empty], new Date(0)))).toBe(3)
    expect(pagesOf(await toPdf([], new Date(0)))).toBe(1)
  })
})
