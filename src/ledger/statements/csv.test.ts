import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toCsvRecord } from './csv.ts'

/** A reader of one record, from RFC 4180 alone. */
function parseRecord(record: string): string[] {
  const fields: string[] = []
  let rest = record
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest)
    if (match === null) throw new Error(`No record: ${rest}`)
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    rest = rest.slice(match[0].length)
    if (match[3] === '\r\n') break
  }
  if (rest !== '') throw new Error(`More than a record: ${rest}`)
  return fields
}

describe('toCsvRecord()', () => {
  it('toCsvRecord() quotes what RFC 4180 wants quoted', () => {
    expect(toCsvRecord(['a', 'b,c', 'say "x"', 'two\nlines', null, 5, -7n, { exact: '-0.5' }])).toBe(
      'a,"b,c","say ""x""","two\nlines",,5,-7,-0.5\r\n',
    )
  })

  it.each([
    '=HYPERLINK("http://x.example","y")',
    '+1+1',
    '-2+3',
    '@SUM(A1)',
    ' =1',
    '\t=1',
    '\r=1',
    '\n@x',
    '\u0000=1',
    '＝1',
    '＠x',
    '\tx',
  ])('toCsvRecord() lets no spreadsheet compute %j', (text) => {
    const [field] = parseRecord(toCsvRecord([text]))
    expect(field).toBe(`'${text}`)
  })

  it.each(['Acme', 'a=b', 'a-b', "it's", '日本', '{"key":"=1"}', ''])(
    'toCsvRecord() leaves %j alone',
    (text) => {
      expect(parseRecord(toCsvRecord([text]))).toEqual([text])
    },
  )

  it('toCsvRecord() is read back as it was, and never begins a text with a sign', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 6 }), (texts) => {
        const fields = parseRecord(toCsvRecord(texts))
        expect(fields.map((field, n) => (field === `'${texts[n]}` ? texts[n] : field))).toEqual(texts)
        for (const field of fields) expect(field).not.toMatch(/^[=+\-@\t\r\n]/)
      }),
    )
  })
})
