import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseMonth } from './month.ts'
import type { Booked, BookedLine, Sums } from './ports.ts'
import { fromDocument, isIntact, namesOf, toDocument, toStatement } from './statement.ts'
import { csvHeader, toCsv } from './statement-csv.ts'

const sums = (cost: bigint): Sums => ({
  requests: 1,
  tokensInput: 10,
  tokensOutput: 5,
  tokensCached: 0,
  costNanoUsd: cost,
  estimated: 0,
  estimatedNanoUsd: 0n,
  adjustmentNanoUsd: 0n,
})
const line = (
  breakdown: BookedLine['breakdown'],
  values: BookedLine['values'],
  cost: bigint,
  others = 0,
): BookedLine => ({ breakdown, values, others, sums: sums(cost) })

const BOOKED: Booked = {
  totals: sums(10n),
  lines: [
    line('team', ['t1'], 7n),
    line('team', [null], 3n),
    line('key', ['k1'], 6n),
    line('key', [null], 4n, 12),
    line('user', ['"checksum":"0",'], 10n),
    line('model', ['openai', 'gpt-4o'], 6n),
    line('model', [null, null], 4n),
    line('day', ['2026-02-17'], 6n),
    line('day', ['2026-02-03'], 4n),
  ],
  adjustments: [{ month: '2026-01', sums: sums(2n) }],
}

const statement = toStatement({
  month: parseMonth('2026-02'),
  organization: { id: 'o1', name: '=cmd' },
  state: { frozenAt: new Date('2026-03-02T09:00:00.000Z'), complete: false },
  booked: BOOKED,
  names: { team: new Map([['t1', '+Team']]), key: new Map() },
})
const SEAL = {
  charges: { rows: 1, sha256: 'x' },
  watermark: { rows: 3, newestRowAt: null, newestRowId: 'id', digest: '99' },
}

describe('toStatement()', () => {
  it('toStatement() names lines, and keeps those without a name and those joined apart', () => {
    const { team, key, model, day } = statement.breakdowns
    expect(team.map(({ id, name }) => [id, name])).toEqual([
      ['t1', '+Team'],
      [null, null],
    ])
    expect(key.map(({ id, name, others }) => [id, name, others])).toEqual([
      ['k1', 'k1', undefined],
      [null, null, 12],
    ])
    expect(model.map(({ id, provider, model: name }) => [id, provider, name])).toEqual([
      ['openai/gpt-4o', 'openai', 'gpt-4o'],
      [null, null, null],
    ])
    expect(day.map(({ id }) => id)).toEqual(['2026-02-03', '2026-02-17'])
    expect(statement.status).toBe('closing')
  })
})

describe('toDocument()', () => {
  const { document, checksum } = toDocument(statement, SEAL)

  it('toDocument() has a checksum that anybody can take again', () => {
    const { checksum: given, ...rest } = JSON.parse(document) as Record<string, unknown>
    expect(given).toBe(checksum)
    // Names of a parsed document are in order already, so this is its canonical form.
    expect(createHash('sha256').update(JSON.stringify(rest)).digest('hex')).toBe(checksum)
    expect(fromDocument(document)).toMatchObject({
      status: 'closed',
      ...SEAL,
      totals: { costUsd: '0.00000001' },
    })
  })

  it('isIntact() is false after any change', () => {
    expect(isIntact(document, checksum)).toBe(true)
    expect(isIntact(document.replace('"rows":3', '"rows":4'), checksum)).toBe(false)
    expect(
      isIntact(
        document,
        checksum.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    ).toBe(false)
    expect(isIntact(`${document} `, checksum)).toBe(false)
  })

  it('namesOf() gives back the names that a statement shows', () => {
    const names = namesOf(fromDocument(document))
    expect([...names.team]).toEqual([['t1', '+Team']])
    expect([...names.key]).toEqual([['k1', 'k1']])
  })
})

describe('toCsv()', () => {
  it('toCsv() has a record for each line, and names that no spreadsheet computes', () => {
    const records = toCsv(statement).split('\r\n').slice(0, -1)
    expect(records).toHaveLength(1 + BOOKED.lines.length + 1)
    expect(records[0]).toBe("2026-02,closing,o1,'=cmd,total,,,,,1,10,5,15,0,0.00000001,10,0,0,0,")
    expect(records[1]).toContain(",team,t1,'+Team,")
    expect(records).toContainEqual(expect.stringContaining(',key,,12 others,'))
    expect(records.at(-1)).toContain(',adjustment,2026-01,')
    expect(csvHeader().split(',')).toHaveLength(records[0]?.split(',').length ?? 0)
  })
})
