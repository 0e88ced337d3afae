import { nanoToUsd } from '../../core/money.ts'
import { usdToNano } from './amounts.ts'
import { AMBER, BAR, type Canvas, FAINT, INK, MUTED, RULE } from './pdf-canvas.ts'
import { percentOf, shareOf, thousands } from './pdf-figures.ts'
import { toPrintable } from './pdf-text.ts'
import type { StatementLine } from './statement.ts'

export interface TableContent {
  readonly title: string
  readonly lines: readonly StatementLine[]
  /** What calls are called that have no such name: `no team`. */
  readonly nameless: string
  readonly rowsMax: number
}

export interface TableStyle {
  readonly totalUsd: string
  readonly dollars: (usd: string) => string
}

export interface TablePlace {
  readonly x: number
  readonly y: number
  readonly width: number
}

interface Row {
  readonly name: string
  readonly faint: boolean
  readonly requests: number
  readonly tokensInput: number
  readonly tokensOutput: number
  readonly costUsd: string
  readonly estimated: boolean
}

const ROW_HEIGHT = 15.5
const TITLE_HEIGHT = 17
const HEAD_HEIGHT = 15
const GAP = 6
/** Below that only name, calls, cost and share find room. */
const WIDE = 400

export function tableHeight({ lines, rowsMax }: TableContent): number {
  return TITLE_HEIGHT + HEAD_HEIGHT + Math.min(lines.length, rowsMax) * ROW_HEIGHT + 4
}

export function drawTable(canvas: Canvas, content: TableContent, place: TablePlace, style: TableStyle): void {
  const { x, width } = place
  const columns = toColumns(place, style)
  canvas.text(content.title, x, place.y, { size: 10, font: 'bold' })
  const head = place.y + TITLE_HEIGHT
  for (const { title, left, width: columnWidth } of columns) {
    canvas.text(title, left, head, {
      size: 6.8,
      color: FAINT,
      align: left === x ? 'left' : 'right',
      width: columnWidth,
    })
  }
  canvas.line(x, head + HEAD_HEIGHT - 4, width)
  for (const [index, row] of toRows(content).entries()) {
    const top = head + HEAD_HEIGHT + index * ROW_HEIGHT
    for (const column of columns) column.draw(canvas, row, top)
    canvas.line(x, top + ROW_HEIGHT - 4.5, width, RULE)
  }
}

interface Column {
  readonly title: string
  readonly left: number
  readonly width: number
  readonly draw: (canvas: Canvas, row: Row, top: number) => void
}

function toColumns({ x, width }: TablePlace, { totalUsd, dollars }: TableStyle): Column[] {
  const figure =
    (text: (row: Row) => string, left: number, columnWidth: number, color = INK) =>
    (canvas: Canvas, row: Row, top: number) =>
      canvas.text(text(row), left, top, { size: 8, align: 'right', width: columnWidth, color })
  const right: { title: string; width: number; draw: (left: number, width: number) => Column['draw'] }[] = [
    {
      title: 'Calls',
      width: width < WIDE ? 40 : 48,
      draw: (left, own) => figure((row) => thousands(row.requests), left, own, MUTED),
    },
    ...(width < WIDE
      ? []
      : [
          {
            title: 'Tokens in',
            width: 66,
            draw: (left: number, own: number) =>
              figure((row) => thousands(row.tokensInput), left, own, MUTED),
          },
          {
            title: 'Tokens out',
            width: 60,
            draw: (left: number, own: number) =>
              figure((row) => thousands(row.tokensOutput), left, own, MUTED),
          },
        ]),
    {
      title: 'Cost',
      width: width < WIDE ? 60 : 70,
      draw: (left, own) => (canvas, row, top) => {
        figure((each) => dollars(each.costUsd), left, own)(canvas, row, top)
        if (row.estimated) canvas.text('*', left + own + 1, top, { size: 8, color: AMBER })
      },
    },
    {
      title: 'Share',
      width: width < WIDE ? 36 : 80,
      draw: (left, own) => (canvas, row, top) => {
        if (width >= WIDE) {
          const room = own - 46
          canvas.rect(left + 8, top + 1.2, room, 4.6, RULE, 2.3)
          canvas.rect(left + 8, top + 1.2, room * shareOf(row.costUsd, totalUsd), 4.6, BAR, 2.3)
        }
        canvas.text(percentOf(row.costUsd, totalUsd), left, top, {
          size: 8,
          color: MUTED,
          align: 'right',
          width: own,
        })
      },
    },
  ]
  const columns: Column[] = []
  let left = x + width
  for (const column of right.reverse()) {
    left -= column.width
    columns.unshift({ title: column.title, left, width: column.width, draw: column.draw(left, column.width) })
    left -= GAP
  }
  const nameWidth = left - x
  return [
    {
      title: '',
      left: x,
      width: nameWidth,
      draw: (canvas, row, top) =>
        canvas.text(row.name, x, top, { size: 8, width: nameWidth, color: row.faint ? MUTED : INK }),
    },
    ...columns,
  ]
}

/** @returns the largest lines, and one for the rest where there are more */
function toRows({ lines, rowsMax, nameless }: TableContent): Row[] {
  if (lines.length <= rowsMax) return lines.map((line) => toRow(line, nameless))
  const shown = lines.slice(0, rowsMax - 1)
  const rest = lines.slice(rowsMax - 1)
  const count = rest.reduce((sum, { others = 1 }) => sum + others, 0)
  return [...shown.map((line) => toRow(line, nameless)), joinRows(rest, `${thousands(count)} others`)]
}

function toRow(line: StatementLine, nameless: string): Row {
  return {
    name: line.others === undefined ? toName(line, nameless) : `${thousands(line.others)} others`,
    faint: line.id === null,
    requests: line.requests,
    tokensInput: line.tokensInput,
    tokensOutput: line.tokensOutput,
    costUsd: line.costUsd,
    estimated: line.estimated > 0,
  }
}

/** @returns the id where the fonts of a PDF have no letter of the name */
function toName({ id, name }: StatementLine, nameless: string): string {
  if (name === null) return nameless
  return /[\p{L}\p{N}]/u.test(toPrintable(name)) ? name : (id ?? name)
}

function joinRows(lines: readonly StatementLine[], name: string): Row {
  const sum = (of: (line: StatementLine) => number) => lines.reduce((total, line) => total + of(line), 0)
  return {
    name,
    faint: true,
    requests: sum((line) => line.requests),
    tokensInput: sum((line) => line.tokensInput),
    tokensOutput: sum((line) => line.tokensOutput),
    costUsd: nanoToUsd(lines.reduce((total, line) => total + usdToNano(line.costUsd), 0n)),
    estimated: lines.some((line) => line.estimated > 0),
  }
}
