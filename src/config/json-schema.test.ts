// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { describe, expect, it } from 'vitest'
import { configJsonSchema, type SchemaNode } from './json-schema.ts'
import { schemaAt } from './schema-node.ts'

const SECTIONS = [
  'server',
  'storage',
  'providers',
  'models',
  'tasks',
  'breaker',
  'cache',
  'safety',
  'content',
]
const MORE_SECTIONS = ['budgets', 'limits', 'prices', 'alerts', 'telemetry']

function walk(node: SchemaNode, path: string, visit: (node: SchemaNode, path: string) => void): void {
  visit(node, path)
  for (const [name, property] of Object.entries(node.properties ?? {}))
    walk(property, `${path}.${name}`, visit)
  if (node.additionalProperties) walk(node.additionalProperties, `${path}.*`, visit)
  if (node.items !== undefined) walk(node.items, `${path}[]`, visit)
  for (const one of node.anyOf ?? node.oneOf ?? []) walk(one, path, visit)
}

describe('configJsonSchema', () => {
  const schema = configJsonSchema()

  it('configJsonSchema() is of draft 2020-12 and knows every section of the contract', () => {
    expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' })
    expect(Object.keys(schema.properties ?? {})).toEqual([...SECTIONS, ...MORE_SECTIONS, '$schema'])
    expect(schema.required).toBeUndefined()
  })

  it('configJsonSchema() refuses unknown keys everywhere', () => {
    const open: string[] = []
    walk(schema, '', (node, path) => {
      if (node.properties !== undefined && node.additionalProperties !== false) open.push(path)
    })
    expect(open).toEqual([])
  })

  it('configJsonSchema() describes every key', () => {
    const mute: string[] = []
    walk(schema, '', (node) => {
      for (const [name, property] of Object.entries(node.properties ?? {})) {
        if (!property.description) mute.push(name)
      }
    })
    expect(mute).toEqual([])
  })

  it('configJsonSchema() gives defaults and examples as people write them', () => {
    expect(schemaAt(schema, ['server', 'port'], {})).toMatchObject({
      default: 4000,
      minimum: 0,
      maximum: 65_535,
    })
    expect(schemaAt(schema, ['storage', 'database'], {})).toMatchObject({ default: 'embedded' })
    expect(schemaAt(schema, ['models', 'm', 'targets'], {})?.examples).toHaveLength(1)
  })

  it('configJsonSchema() lets an editor tell a literal secret from a reference', () => {
    const { pattern, writeOnly } = schemaAt(schema, ['providers', 'p', 'apiKey'], {}) ?? {}
    expect(writeOnly).toBe(true)
    expect(new RegExp(pattern ?? '').test('${env:OPENAI_API_KEY}')).toBe(true)
    expect(new RegExp(pattern ?? '').test('sk-1234')).toBe(false)
  })

  it('schemaAt() chooses among alternatives by what stands there', () => {
    const tree = { alerts: { channels: [{ kind: 'email' }, { kind: 'slack' }] } }
    expect(schemaAt(schema, ['alerts', 'channels', 0, 'smtpUrl'], tree)?.writeOnly).toBe(true)
    expect(schemaAt(schema, ['alerts', 'channels', 1, 'smtpUrl'], tree)).toBeUndefined()
    expect(schemaAt(schema, ['nothing', 'here'], tree)).toBeUndefined()
  })
})
