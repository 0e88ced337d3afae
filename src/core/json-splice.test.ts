import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scanTopLevel, spliceTopLevel } from './json-splice.ts'

function change(text: string, changes: Record<string, unknown>): string {
  const body = Buffer.from(text)
  const map = new Map(Object.entries(changes).map(([name, value]) => [name, JSON.stringify(value)]))
  return spliceTopLevel(body, scanTopLevel(body), map).toString()
}

describe('spliceTopLevel()', () => {
  it('replaces one value and leaves every other byte', () => {
    const text = '{ "a": [1, {"model": "x"}],\n  "model" : "gpt-4o" ,"z":1.50}'
    expect(change(text, { model: 'other' })).toBe(
      '{ "a": [1, {"model": "x"}],\n  "model" : "other" ,"z":1.50}',
    )
  })

  it('adds members that are missing, also to an empty object', () => {
    expect(change('{"a":1}', { b: true, c: null })).toBe('{"a":1,"b":true,"c":null}')
    expect(change('{ }', { b: 1 })).toBe('{ "b":1}')
    expect(change('{}', { b: 1, c: 2 })).toBe('{"b":1,"c":2}')
  })

  it('finds names that are written with escapes and strings that end in backslashes', () => {
    const text =
      '{"x":"\\\\","mod\\u0065l":"a","y":"a very long string that ends in an escaped quote \\\\\\""}'
    expect(change(text, { model: 'b' })).toBe(text.replace('"a"', '"b"'))
  })

  it('leaves every byte outside of the values it sets, for any object', () => {
    const members = fc.uniqueArray(fc.tuple(fc.string(), fc.jsonValue()), { selector: ([name]) => name })
    const space = fc.constantFrom('', ' ', '\n', '\t ', '\r\n')
    fc.assert(
      fc.property(members, fc.jsonValue(), fc.nat(), space, space, (list, value, pick, before, after) => {
        if (list.length === 0) return
        const write = (texts: readonly string[]) => `{${before}${texts.join(`${after},${before}`)}${after}}`
        const texts = list.map(
          ([name, own]) => `${JSON.stringify(name)}${after}:${before}${JSON.stringify(own)}`,
        )
        const at = pick % list.length
        const name = list[at]?.[0] ?? ''
        const changed = texts.with(at, `${JSON.stringify(name)}${after}:${before}${JSON.stringify(value)}`)
        const body = Buffer.from(write(texts))
        const result = spliceTopLevel(body, scanTopLevel(body), new Map([[name, JSON.stringify(value)]]))
        expect(result.toString()).toBe(write(changed))
      }),
      { numRuns: 500 },
    )
  })

  it('passes over strings full of quotes, backslashes and brackets, however long', () => {
    for (const text of [
      '\\',
      '"',
      '\\"',
      '{"model":"x"}',
      '}]',
      '\\\\"',
      'é🌍',
      '"'.repeat(99),
      '\\'.repeat(99),
    ]) {
      for (const length of [0, 22, 23, 24, 25, 1000]) {
        const json = JSON.stringify({ a: 'x'.repeat(length) + text, model: 'm', b: [text] })
        expect(change(json, { model: 'n' })).toBe(json.replace('"m"', '"n"'))
      }
    }
  })

  it('equals parse, change and write again for any object', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 8, noNullPrototype: true })
    fc.assert(
      fc.property(object, object, fc.nat(3), (before, changes, indent) => {
        const after = JSON.parse(change(JSON.stringify(before, null, indent), changes))
        expect(after).toEqual(JSON.parse(JSON.stringify({ ...before, ...changes })))
      }),
      { numRuns: 500 },
    )
  })
})

describe('scanTopLevel()', () => {
  it('reports a name that stands twice, however it is written', () => {
    expect(scanTopLevel(Buffer.from('{"model":"a","mod\\u0065l":"b"}')).duplicates).toBe(true)
    expect(scanTopLevel(Buffer.from('{"model":"a","x":{"model":"b"}}')).duplicates).toBe(false)
    expect(scanTopLevel(Buffer.from('{"__proto__":1,"__proto__":2}')).duplicates).toBe(true)
    expect(scanTopLevel(Buffer.from('{"__proto__":1,"constructor":2,"toString":3}')).duplicates).toBe(false)
  })

  it('reads a megabyte of quotes in a moment', () => {
    const body = Buffer.from(JSON.stringify({ a: '\\"'.repeat(1 << 18), model: 'm' }))
    const begun = performance.now()
    expect([...scanTopLevel(body).spans.keys()]).toEqual(['a', 'model'])
    expect(performance.now() - begun).toBeLessThan(2000)
  })
})
