import {
  ACCENT,
  AMBER,
  BAR,
  BOTTOM,
  type Canvas,
  createCanvas,
  FAINT,
  INK,
  MARGIN,
  MUTED,
  PAGE_HEIGHT,
  PAPER,
  RULE,
  WIDTH,
} from './pdf-canvas.ts'
import {
  dollarsFor,
  momentTitle,
  monthTitle,
  percentOf,
  periodTitle,
  shareOf,
  thousands,
} from './pdf-figures.ts'
import { drawTable, type TableContent, type TableStyle, tableHeight } from './pdf-table.ts'
import { BREAKDOWNS, type Breakdown } from './ports.ts'
import type { Statement, StatementLine } from './statement.ts'

/** Rows of a table; what is beyond is one row, and whole in the JSON and the CSV. */
const WIDE_ROWS_MAX = 9
const NARROW_ROWS_MAX = 7
const COLUMN_GAP = 26
const HALF = (WIDTH - COLUMN_GAP) / 2

const TITLES: Readonly<Record<Exclude<Breakdown, 'day'>, { title: string; nameless: string }>> = {
  model: { title: 'Providers and models', nameless: 'reached no provider' },
  team: { title: 'Teams', nameless: 'no team' },
  key: { title: 'Keys', nameless: 'no key' },
  user: { title: 'Users', nameless: 'no user' },
  operation: { title: 'Operations', nameless: 'none' },
  task: { title: 'Tasks', nameless: 'no task' },
  deal: { title: 'Deals', nameless: 'no deal' },
  cycle: { title: 'Cycles', nameless: 'no cycle' },
}
const WIDE_TABLES = ['model', 'team'] as const
const NARROW_TABLES = ['key', 'user', 'deal', 'cycle', 'task', 'operation'] as const

/**
 * @param createdAt for statements of open months; the file of a closed one says when that was
 * @returns one file with a page or two for each statement
 */
export async function toPdf(statements: readonly Statement[], createdAt: Date): Promise<Uint8Array> {
  const [first] = statements
  const title =
    first === undefined
      ? 'Cost allocation'
      : `Cost allocation ${first.month}${statements.length === 1 ? `, ${first.organizationName}` : ''}`
  const closedAt = first?.closedAt
  const canvas = createCanvas({ title, createdAt: closedAt == null ? createdAt : new Date(closedAt) })
  const owners: Statement[] = []
  for (const statement of statements) {
    drawStatement(canvas, statement)
    while (owners.length < canvas.pages) owners.push(statement)
  }
  if (owners.length === 0) canvas.newPage()
  for (const [page, statement] of owners.entries()) {
    canvas.onPage(page, () => drawFoot(canvas, statement, page + 1, owners.length))
  }
  return canvas.finish()
}

function drawStatement(canvas: Canvas, statement: Statement): void {
  const style: TableStyle = {
    totalUsd: statement.totals.costUsd,
    dollars: dollarsFor(statement.totals.costUsd),
  }
  canvas.newPage()
  drawHead(canvas, statement)
  drawTotals(canvas, statement, style)
  let y = drawDays(canvas, statement, style, 306)
  const room = (height: number) => {
    if (y + height <= BOTTOM) return
    canvas.newPage()
    drawRunningHead(canvas, statement)
    y = MARGIN + 32
  }
  for (const breakdown of WIDE_TABLES) {
    const content = contentOf(statement, breakdown, WIDE_ROWS_MAX)
    if (content === undefined) continue
    room(tableHeight(content))
    drawTable(canvas, content, { x: MARGIN, y, width: WIDTH }, style)
    y += tableHeight(content) + 16
  }
  const narrow = NARROW_TABLES.flatMap((breakdown) => contentOf(statement, breakdown, NARROW_ROWS_MAX) ?? [])
  for (let index = 0; index < narrow.length; index += 2) {
    const pair = narrow.slice(index, index + 2)
    const height = Math.max(...pair.map(tableHeight))
    room(height)
    for (const [side, content] of pair.entries()) {
      drawTable(canvas, content, { x: MARGIN + side * (HALF + COLUMN_GAP), y, width: HALF }, style)
    }
    y += height + 16
  }
  const notes = notesOf(statement)
  room(notes.length * 11 + 4)
  for (const note of notes) {
    canvas.text(note, MARGIN, y, { size: 7.5, color: MUTED, width: WIDTH })
    y += 11
  }
}

function contentOf(
  statement: Statement,
  breakdown: Exclude<Breakdown, 'day'>,
  rowsMax: number,
): TableContent | undefined {
  const lines = statement.breakdowns[breakdown]
  return isAttributed(lines) ? { ...TITLES[breakdown], lines, rowsMax } : undefined
}

/** A table whose one line says "none" says nothing. */
function isAttributed(lines: readonly StatementLine[]): boolean {
  return lines.some(({ id, others }) => id !== null || others !== undefined)
}

function drawHead(canvas: Canvas, statement: Statement): void {
  canvas.rect(0, 0, 600, 5, ACCENT)
  canvas.text('GATEHOUSE', MARGIN, MARGIN, { size: 8, font: 'bold', color: ACCENT, tracking: 2.2 })
  canvas.text('Cost allocation statement', MARGIN, MARGIN + 16, { size: 21, font: 'bold' })
  const closed = statement.status === 'closed'
  const pill = closed ? 'CLOSED' : 'PRELIMINARY'
  const pillWidth = closed ? 58 : 86
  const right = MARGIN + WIDTH
  canvas.rect(right - pillWidth, MARGIN - 3, pillWidth, 17, closed ? ACCENT : AMBER, 8.5)
  canvas.text(pill, right - pillWidth + (closed ? 10 : 11), MARGIN + 2, {
    size: 7.5,
    font: 'bold',
    color: '#ffffff',
    tracking: 0.8,
  })
  canvas.text(
    statement.closedAt === null ? 'the month is not closed yet' : momentTitle(statement.closedAt),
    MARGIN,
    MARGIN + 23,
    { size: 8, color: MUTED, align: 'right', width: WIDTH },
  )
  const top = MARGIN + 56
  canvas.line(MARGIN, top, WIDTH)
  const fact = (label: string, value: string, detail: string, x: number, width: number) => {
    canvas.text(label, x, top + 14, { size: 7, color: FAINT })
    canvas.text(value, x, top + 25, { size: 12, font: 'bold', width })
    canvas.text(detail, x, top + 41, { size: 7.5, color: MUTED, width })
  }
  fact('Organization', statement.organizationName, statement.organizationId, MARGIN, 260)
  fact(
    'Period',
    monthTitle(statement.month),
    `${periodTitle(statement.month, statement.periodEnd)}, UTC`,
    MARGIN + 280,
    140,
  )
  fact('Currency', 'USD', 'US dollars', MARGIN + 440, 60)
}

function drawRunningHead(canvas: Canvas, statement: Statement): void {
  canvas.rect(0, 0, 600, 5, ACCENT)
  canvas.text(statement.organizationName, MARGIN, MARGIN - 8, { size: 9, font: 'bold', width: 300 })
  canvas.text(`Cost allocation, ${monthTitle(statement.month)}`, MARGIN, MARGIN - 8, {
    size: 9,
    color: MUTED,
    align: 'right',
    width: WIDTH,
  })
  canvas.line(MARGIN, MARGIN + 10, WIDTH)
}

function drawTotals(canvas: Canvas, { totals }: Statement, { dollars }: TableStyle): void {
  const top = 178
  canvas.rect(MARGIN, top, WIDTH, 98, PAPER, 8)
  canvas.text('Total', MARGIN + 18, top + 18, { size: 8, color: MUTED })
  canvas.text(dollars(totals.costUsd), MARGIN + 18, top + 33, {
    size: 27,
    font: 'bold',
    color: ACCENT,
    width: 200,
  })
  canvas.text(`exactly ${totals.costUsd} USD`, MARGIN + 18, top + 69, { size: 7.5, color: MUTED, width: 200 })
  const stats: readonly (readonly [string, string])[] = [
    ['Calls', thousands(totals.requests)],
    ['Tokens in', thousands(totals.tokensInput)],
    ['Tokens out', thousands(totals.tokensOutput)],
    ['Cached input', thousands(totals.tokensCached)],
    ['Estimated', percentOf(totals.estimatedUsd, totals.costUsd)],
    ['Adjustments', dollars(totals.adjustmentUsd)],
  ]
  for (const [index, [label, value]] of stats.entries()) {
    const x = MARGIN + 232 + (index % 3) * 88
    const y = top + 20 + Math.floor(index / 3) * 37
    canvas.text(label, x, y, { size: 7, color: MUTED })
    canvas.text(value, x, y + 10, { size: 11, font: 'bold', color: INK, width: 84 })
  }
}

const CHART_HEIGHT = 46

/** @returns where the next thing may begin */
function drawDays(canvas: Canvas, statement: Statement, { dollars }: TableStyle, top: number): number {
  const days = statement.breakdowns.day.filter(({ id }) => id?.startsWith(statement.month) === true)
  const [largest] = [...days].sort((a, b) => Number(b.costUsd) - Number(a.costUsd))
  canvas.text('Cost by day', MARGIN, top - 8, { size: 10, font: 'bold' })
  if (largest !== undefined && Number(largest.costUsd) > 0) {
    canvas.text(`largest ${dollars(largest.costUsd)}`, MARGIN, top - 6, {
      size: 7,
      color: FAINT,
      align: 'right',
      width: WIDTH,
    })
  }
  const last = new Date(Date.parse(statement.periodEnd) - 1).getUTCDate()
  const step = WIDTH / last
  const base = top + 12 + CHART_HEIGHT
  const byDay = new Map(days.map((line) => [Number(line.id?.slice(8)), line.costUsd]))
  for (let day = 1; day <= last; day++) {
    const x = MARGIN + (day - 1) * step
    const share = shareOf(byDay.get(day) ?? '0', largest?.costUsd ?? '0')
    // A day with anything at all can be seen.
    const height = share > 0 ? Math.max(CHART_HEIGHT * share, 1) : 0
    canvas.rect(x + 1.5, base - height, step - 3, height, BAR, 1.5)
    if (day === 1 || day % 7 === 1) canvas.text(String(day), x + 1.5, base + 5, { size: 6.5, color: FAINT })
  }
  canvas.line(MARGIN, base + 0.5, WIDTH, RULE)
  return base + 30
}

function notesOf(statement: Statement): string[] {
  const { totals, adjustments, breakdowns } = statement
  const notes: string[] = []
  const silent = BREAKDOWNS.filter((name) => name !== 'day' && !isAttributed(breakdowns[name]))
  if (totals.estimated > 0) {
    notes.push(
      `* holds usage that a provider did not report and Gatehouse counted: ${totals.estimatedUsd} USD in ${thousands(totals.estimated)} attempts.`,
    )
  }
  for (const { month, costUsd, requests } of adjustments) {
    notes.push(
      `Adjustment: ${costUsd} USD for ${thousands(requests)} calls of ${monthTitle(month)} became known after that month was closed.`,
    )
  }
  if (silent.length > 0 && totals.requests > 0) {
    notes.push(
      `Not attributed this month: ${silent.map((name) => TITLES[name as 'team'].title.toLowerCase()).join(', ')}.`,
    )
  }
  notes.push(
    'Amounts are rounded for reading; the JSON and CSV of this statement have them to the nano-dollar.',
  )
  return notes
}

function drawFoot(canvas: Canvas, statement: Statement, page: number, pages: number): void {
  const top = PAGE_HEIGHT - 50
  canvas.line(MARGIN, top, WIDTH)
  if (statement.checksum === undefined) {
    canvas.text('Preliminary: figures change until the month is closed.', MARGIN, top + 10, {
      size: 7,
      color: AMBER,
    })
  } else {
    canvas.text('SHA-256', MARGIN, top + 10, { size: 6.5, color: FAINT })
    canvas.text(statement.checksum, MARGIN + 36, top + 10, { size: 6.5, font: 'mono', color: MUTED })
  }
  canvas.text(`Page ${page} of ${pages}`, MARGIN, top + 10, {
    size: 7,
    color: MUTED,
    align: 'right',
    width: WIDTH,
  })
}
