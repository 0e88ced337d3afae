import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toOutputSchema } from './output-schema.ts'

describe('toOutputSchema()', () => {
  it('leaves what the API compiles as it is', () => {
    const schema = {
      type: 'object',
      properties: {
        when: { type: 'string', format: 'date-time', description: 'd' },
        kind: { enum: ['a', 'b'] },
        list: { type: 'array', items: { $ref: '#/$defs/item' }, minItems: 1 },
      },
      required: ['when'],
      additionalProperties: false,
      $defs: { item: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
    }
    expect(toOutputSchema(schema)).toEqual({ schema, softened: [] })
  })

  it('says in words what the API does not compile', () => {
    const output = toOutputSchema({
      type: 'object',
      properties: {
        age: { type: 'integer', minimum: 0, maximum: 120, description: 'In years.' },
        code: { type: 'string', pattern: '^x', format: 'isbn' },
      },
    })
    expect(output).toEqual({
      schema: {
        type: 'object',
        properties: {
          age: { type: 'integer', description: 'In years. (minimum: 0, maximum: 120)' },
          code: { type: 'string', description: 'pattern: "^x", format: "isbn"' },
        },
        additionalProperties: false,
      },
      softened: ['minimum', 'maximum', 'pattern', 'format'],
    })
  })

  it('turns oneOf into anyOf', () => {
    expect(toOutputSchema({ oneOf: [{ type: 'string' }, { type: 'null' }] })?.schema).toEqual({
      anyOf: [{ type: 'string' }, { type: 'null' }],
    })
  })

  it.each([
    [{ type: 'object', additionalProperties: { type: 'number' } }],
    [{ type: 'object', additionalProperties: true }],
    [{ type: 'object', properties: { a: { type: 'object', patternProperties: { x: {} } } } }],
    [{ type: 'object', properties: { a: { $ref: '#' } } }],
    [
      {
        type: 'object',
        properties: { a: { $ref: '#/$defs/node' } },
        $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } } },
      },
    ],
    [
      {
        $ref: '#/$defs/a',
        $defs: { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { type: 'array', items: { $ref: '#/$defs/a' } } },
      },
    ],
  ])('gives up on %j', (schema) => {
    expect(toOutputSchema(schema)).toBeUndefined()
  })

  it('ends on any JSON, and closes every object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (schema) => {
        const output = toOutputSchema(schema)
        if (output?.schema.type === 'object') expect(output.schema.additionalProperties).toBe(false)
      }),
    )
  })
})
