import { z } from 'zod'
import { configSchema } from './schema/config-schema.ts'

/** As much of JSON Schema as ours uses. */
export interface SchemaNode {
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly additionalProperties?: SchemaNode | false
  readonly propertyNames?: SchemaNode
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly pattern?: string
  readonly writeOnly?: boolean
}

let made: SchemaNode | undefined

/**
 * JSON Schema (draft 2020-12) of what people write, with descriptions, defaults and examples.
 *
 * Fields marked `writeOnly` are secrets; those with a `pattern` besides take a reference and nothing else.
 */
export function configJsonSchema(): SchemaNode {
  made ??= complete(
    z.toJSONSchema(configSchema, {
      io: 'input',
      target: 'draft-2020-12',
      override({ zodSchema, jsonSchema }) {
        // Zod leaves examples out where a value is transformed: it cannot know that ours are of the input.
        const examples = z.globalRegistry.get(zodSchema)?.examples
        if (Array.isArray(examples)) jsonSchema.examples = examples
        // These bounds mean only "a number that JavaScript counts exactly": noise to a reader.
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      },
    }) as SchemaNode,
  )
  return made
}

function complete(schema: SchemaNode): SchemaNode {
  // JSON has no comments, so this key is how a file tells an editor about its schema. The loader passes over it.
  const $schema = { type: 'string', description: 'Where this schema is, for editors.' }
  return { ...schema, title: 'Gatehouse configuration', properties: { ...schema.properties, $schema } }
}
