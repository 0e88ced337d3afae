import { describe, expect, it } from 'vitest'
import { warned, write } from './fixtures/write-request.ts'

describe('planFormat()', () => {
  const open = { type: 'object', additionalProperties: { type: 'number' } }
  const closed = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false }

  it('uses structured outputs where model and schema allow it', () => {
    const responseFormat = { type: 'json-schema', name: 'o', schema: closed } as const
    const wire = write({ responseFormat, reasoning: { effort: 'low' } }, 'claude-opus-4-6')
    expect(wire.body.output_config).toEqual({
      effort: 'low',
      format: { type: 'json_schema', schema: closed },
    })
    expect(wire.warnings).toEqual([])
  })

  it('forces a call with the schema where they do not', () => {
    const responseFormat = { type: 'json-schema', name: 'o', schema: open, description: 'Prices.' } as const
    for (const model of ['claude-sonnet-4-5', 'claude-3-5-haiku-20241022']) {
      const wire = write({ responseFormat }, model)
      expect(wire.body.output_config).toBeUndefined()
      expect(wire.body.tools).toEqual([
        { name: 'gatehouse_structured_output', description: 'Prices.', input_schema: open },
      ])
      expect(wire.body.tool_choice).toEqual({
        type: 'tool',
        name: 'gatehouse_structured_output',
        disable_parallel_tool_use: true,
      })
      expect(warned(wire)).toEqual(['response_format'])
    }
  })

  it('lets the model call a tool of the caller instead', () => {
    const responseFormat = { type: 'json-schema', name: 'o', schema: open } as const
    const { body } = write({ responseFormat, tools: [{ name: 'f' }] })
    expect(body.tool_choice).toEqual({ type: 'any', disable_parallel_tool_use: true })
    expect(body.tools).toMatchObject([{ name: 'f' }, { name: 'gatehouse_structured_output' }])
  })

  it('tells the model of keywords that are not enforced', () => {
    const schema = { type: 'object', properties: { a: { type: 'string', maxLength: 3 } } }
    const wire = write({ responseFormat: { type: 'json-schema', name: 'o', schema } })
    expect(wire.warnings[0]?.message).toContain('maxLength')
  })

  it('asks for JSON in words where only JSON is wanted', () => {
    const wire = write({ responseFormat: { type: 'json' } })
    expect(wire.body.system).toMatchObject([{ type: 'text', text: expect.stringContaining('JSON') }])
    expect(warned(wire)).toEqual(['response_format'])
  })

  it('marks a tool strict only where its schema can be enforced', () => {
    const tools = [
      { name: 'f', strict: true, parameters: closed },
      { name: 'g', strict: true, parameters: open },
      { name: 'h', strict: true },
    ]
    const wire = write({ tools })
    expect(wire.body.tools).toEqual([
      { name: 'f', strict: true, input_schema: closed },
      { name: 'g', input_schema: { properties: {}, ...open } },
      {
        name: 'h',
        strict: true,
        input_schema: { type: 'object', properties: {}, additionalProperties: false },
      },
    ])
    expect(warned(wire)).toEqual(['tools[1].strict'])
  })
})
