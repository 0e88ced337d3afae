import { type Amounts, toAmounts } from './amounts.ts'
import { sha256, toCanonicalJson } from './canonical-json.ts'
import {
  type Billed,
  type Booked,
  type BookedLine,
  BREAKDOWNS,
  type Breakdown,
  type Month,
  type MonthState,
  type Names,
  type Watermark,
} from './ports.ts'

/** One line of a breakdown. */
export interface StatementLine extends Amounts {
  /** `provider/model` for a model; `null` where the calls had none. */
  readonly id: string | null
  /** What people call it; the id itself where it has no other name. */
  readonly name: string | null
  /** Only for models. */
  readonly provider?: string | null
  readonly model?: string | null
  /** Set where the line stands for this many small ones. */
  readonly others?: number
}

/** Usage that became known after its month was closed. */
export interface Adjustment extends Amounts {
  readonly month: string
}

/** What is kept beside a closed statement, so that a FOCUS file of it never changes either. */
export interface ChargesSeal {
  readonly rows: number
  /** SHA-256 of the SHA-256 of each part in order, as hexadecimal digits on lines. */
  readonly sha256: string
}

/** What one organization owes for one month, and for what. */
export interface Statement {
  readonly schema: 'gatehouse.statement/1'
  readonly month: string
  readonly periodStart: string
  /** Exclusive. */
  readonly periodEnd: string
  readonly currency: 'USD'
  readonly organizationId: string
  readonly organizationName: string
  /** `closing`: decided, and not all statements of the month are stored yet. */
  readonly status: 'open' | 'closing' | 'closed'
  readonly closedAt: string | null
  readonly totals: Amounts
  readonly breakdowns: Readonly<Record<Breakdown, readonly StatementLine[]>>
  readonly adjustments: readonly Adjustment[]
  /** These only where closed. */
  readonly charges?: ChargesSeal
  readonly watermark?: Watermark
  /** SHA-256 of the canonical JSON of everything else. */
  readonly checksum?: string
}

export interface StatementParts {
  readonly month: Month
  readonly organization: Billed
  readonly state: MonthState | undefined
  readonly booked: Booked
  readonly names: Names
}

/** @returns a statement as the ledger has it now */
export function toStatement({ month, organization, state, booked, names }: StatementParts): Statement {
  const byBreakdown = Object.groupBy(booked.lines, ({ breakdown }) => breakdown)
  return {
    schema: 'gatehouse.statement/1',
    month: month.name,
    periodStart: month.start.toISOString(),
    periodEnd: month.end.toISOString(),
    currency: 'USD',
    organizationId: organization.id,
    organizationName: organization.name,
    status: state === undefined ? 'open' : state.complete ? 'closed' : 'closing',
    closedAt: state?.frozenAt.toISOString() ?? null,
    totals: toAmounts(booked.totals),
    breakdowns: Object.fromEntries(
      BREAKDOWNS.map((breakdown) => [
        breakdown,
        inOrder(breakdown, byBreakdown[breakdown] ?? []).map((line) => toLine(line, names)),
      ]),
    ) as unknown as Statement['breakdowns'],
    adjustments: booked.adjustments.map(({ month: name, sums }) => ({ month: name, ...toAmounts(sums) })),
  }
}

/** What makes a statement final. */
export interface Seal {
  readonly charges: ChargesSeal
  readonly watermark: Watermark
}

/** @returns the closed statement's bytes for ever, and their checksum */
export function toDocument(statement: Statement, seal: Seal): { document: string; checksum: string } {
  const closed: Statement = { ...statement, status: 'closed', ...seal }
  const checksum = sha256(toCanonicalJson(closed))
  return { document: toCanonicalJson({ ...closed, checksum }), checksum }
}

/** @returns whether a kept document still is what its checksum was made of */
export function isIntact(document: string, checksum: string): boolean {
  // Inside of a text of the document the quotes would be escaped, so this is the member itself.
  const member = `"checksum":"${checksum}",`
  return document.includes(member) && sha256(document.replace(member, '')) === checksum
}

export function fromDocument(document: string): Statement {
  return JSON.parse(document) as Statement
}

/** @returns the names that a statement shows, for a file made from it or another run of its sums */
export function namesOf(statement: Statement): Names {
  const named = (lines: readonly StatementLine[]) =>
    new Map(lines.flatMap(({ id, name }) => (id === null || name === null ? [] : [[id, name]])))
  return { team: named(statement.breakdowns.team), key: named(statement.breakdowns.key) }
}

/** @returns the days that charges lie on, in order */
export function daysOf(lines: Statement['breakdowns']['day']): string[] {
  return lines.flatMap(({ id }) => (id === null ? [] : [id]))
}

/** Days are read one after the other; all else with what cost most on top. */
function inOrder(breakdown: Breakdown, lines: readonly BookedLine[]): readonly BookedLine[] {
  if (breakdown !== 'day') return lines
  return lines.toSorted((a, b) => ((a.values[0] ?? '') < (b.values[0] ?? '') ? -1 : 1))
}

function toLine({ breakdown, values, others, sums }: BookedLine, names: Names): StatementLine {
  const amounts = toAmounts(sums)
  if (others > 0) return { id: null, name: null, others, ...amounts }
  const [first = null, second = null] = values
  if (breakdown === 'model') {
    const id = [first, second].filter((part) => part !== null).join('/')
    return {
      id: id === '' ? null : id,
      name: id === '' ? null : id,
      provider: first,
      model: second,
      ...amounts,
    }
  }
  const known = breakdown === 'team' || breakdown === 'key' ? names[breakdown] : undefined
  return { id: first, name: (first === null ? undefined : known?.get(first)) ?? first, ...amounts }
}
