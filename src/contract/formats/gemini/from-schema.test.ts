import { describe, expect, it } from 'vitest'
import { fromSchema } from './from-schema.ts'

describe('fromSchema()', () => {
  it('translates types, counts, null and choices', () => {
    const schema = {
      type: 'OBJECT',
      description: 'd',
      required: ['b'],
      propertyOrdering: ['b', 'a', 'missing'],
      properties: {
        a: { type: 'STRING', format: 'enum', enum: ['x', 'y'], nullable: true, maxLength: '5' },
        b: { type: 'ARRAY', items: { type: 'INTEGER', minimum: 0, format: 'int32' }, minItems: '1' },
        type: { anyOf: [{ type: 'NUMBER' }, { type: 'BOOLEAN' }], nullable: true },
        any: { type: 'TYPE_UNSPECIFIED', example: 3, default: null },
      },
    }
    const json = fromSchema(schema, 's')
    expect(json).toEqual({
      type: 'object',
      description: 'd',
      required: ['b'],
      properties: {
        b: { type: 'array', items: { type: 'integer', minimum: 0, format: 'int32' }, minItems: 1 },
        a: { type: ['string', 'null'], enum: ['x', 'y'], maxLength: 5 },
        type: { anyOf: [{ type: 'number' }, { type: 'boolean' }, { type: 'null' }] },
        any: { examples: [3] },
      },
    })
    expect(Object.keys(Object(json.properties))).toEqual(['b', 'a', 'type', 'any'])
  })

  it('leaves JSON Schema as it is', () => {
    const schema = { type: 'object', properties: { a: { $ref: '#/$defs/A' } }, $defs: { A: { const: 1 } } }
    expect(fromSchema(schema, 's')).toEqual(schema)
  })

  it('names the place that is no schema', () => {
    expect(() => fromSchema({ properties: { a: 3 } }, 's')).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 's.properties.a' }),
    )
  })
})
