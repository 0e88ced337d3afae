import { hash } from 'node:crypto'
import { toCanonicalJson } from './canonical-json.ts'
import type { Charge, Month, StatementStore } from './ports.ts'
import type { ChargesSeal } from './statement.ts'

/** So many charges are in memory at once; a day with more comes in parts. */
const PART_ROWS = 10_000

export interface ChargePart {
  readonly day: string
  readonly part: number
  readonly charges: readonly Charge[]
}

/** @returns what the ledger holds now, day by day; a day is there in as many parts as it needs */
export async function* bookedCharges(
  store: StatementStore,
  organizationId: string,
  month: Month,
  days: readonly string[],
): AsyncGenerator<ChargePart> {
  for (const day of days) {
    for (let part = 0; ; part++) {
      const charges = await store.charges(organizationId, month, day, part * PART_ROWS, PART_ROWS)
      if (charges.length > 0) yield { day, part, charges }
      if (charges.length < PART_ROWS) break
    }
  }
}

/** @returns what was kept when the month was closed, as it was written */
export async function* keptCharges(
  store: StatementStore,
  organizationId: string,
  month: Month,
  days: readonly string[],
): AsyncGenerator<{ readonly day: string; readonly part: number; readonly text: string }> {
  for (const day of days) {
    for (let part = 0; ; part++) {
      const text = await store.findCharges(organizationId, month, day, part)
      if (text === undefined) break
      yield { day, part, text }
    }
  }
}

export function toChargesText(charges: readonly Charge[]): string {
  return toCanonicalJson(charges)
}

export function fromChargesText(text: string): Charge[] {
  return JSON.parse(text) as Charge[]
}

/** @returns the seal of parts that come one after the other */
export async function sealCharges(texts: AsyncIterable<string>): Promise<ChargesSeal> {
  let rows = 0
  const digests: string[] = []
  for await (const text of texts) {
    rows += fromChargesText(text).length
    digests.push(hash('sha256', text, 'hex'))
  }
  return { rows, sha256: hash('sha256', digests.join('\n'), 'hex') }
}
