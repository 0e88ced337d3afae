import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toSchemaValue } from './schema-value.ts'

describe('toSchemaValue()', () => {
  it.each<[string, object, unknown]>([
    ['takes the word for a text', { type: 'string' }, 'Rome'],
    ['says 1 for a number and true for a boolean', { type: 'array', items: { type: 'integer' } }, [1]],
    ['keeps to limits', { type: 'integer', minimum: 7, multipleOf: 5 }, 10],
    ['takes the first of an enum', { enum: ['b', 'a'] }, 'b'],
    ['takes the first type that is not null', { type: ['null', 'boolean'] }, true],
    ['reads upper-case types', { type: 'OBJECT', properties: { a: { type: 'STRING' } } }, { a: 'Rome' }],
    [
      'gives required properties only',
      { type: 'object', properties: { a: { type: 'null' }, b: { type: 'number' } }, required: ['b'] },
      { b: 1 },
    ],
    [
      'follows references',
      { type: 'object', properties: { a: { $ref: '#/$defs/x' } }, $defs: { x: { const: 3 } } },
      { a: 3 },
    ],
    ['passes over null in anyOf', { anyOf: [{ type: 'null' }, { type: 'string', minLength: 6 }] }, 'Romexx'],
    [
      'joins allOf',
      { allOf: [{ properties: { a: { type: 'number' } } }, { properties: { b: { type: 'boolean' } } }] },
      { a: 1, b: true },
    ],
  ])('%s', (_, schema, value) => {
    expect(toSchemaValue(schema, 'Rome')).toEqual(value)
  })

  it('ends for a schema that contains itself', () => {
    const tree = {
      type: 'object',
      properties: { children: { type: 'array', items: { $ref: '#' } } },
      required: ['children'],
    }
    expect(JSON.stringify(toSchemaValue(tree, 'x')).length).toBeLessThan(1000)
  })

  it('answers every JSON value with JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (schema) => {
        expect(JSON.stringify(toSchemaValue(schema, 'x'))).toBeTypeOf('string')
      }),
    )
  })
})
