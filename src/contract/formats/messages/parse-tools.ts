import type { Tool, ToolChoice, UnmappedField } from '../../chat.ts'
import {
  arrayAt,
  cacheControlOf,
  objectAt,
  optionalBoolean,
  optionalString,
  refuseField,
  stringAt,
} from './read-fields.ts'

const MAPPED = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'])

/**
 * @returns the caller's own tools. A tool with a type of its own (`web_search_20250305`, `bash_20250124`) has no
 *   schema that another provider could be given: it goes to `unmapped` under its place, `tools[0]`
 */
export function parseTools(value: unknown, unmapped: UnmappedField[]): readonly Tool[] | undefined {
  if (value === undefined || value === null) return undefined
  const tools: Tool[] = []
  for (const [index, entry] of arrayAt(value, 'tools').entries()) {
    const path = `tools[${index}]`
    const fields = objectAt(entry, path)
    const type = optionalString(fields.type, `${path}.type`)
    if (type !== undefined && type !== 'custom') {
      unmapped.push({ path, value: entry })
      continue
    }
    for (const [name, field] of Object.entries(fields)) {
      if (!MAPPED.has(name) && field !== null) unmapped.push({ path: `${path}.${name}`, value: field })
    }
    tools.push({
      name: stringAt(fields.name, `${path}.name`),
      description: optionalString(fields.description, `${path}.description`),
      parameters: objectAt(fields.input_schema, `${path}.input_schema`),
      strict: optionalBoolean(fields.strict, `${path}.strict`),
      cacheControl: cacheControlOf(fields),
    })
  }
  return tools
}

const CHOICES = { auto: 'auto', any: 'required', none: 'none' } as const

export function parseToolChoice(value: unknown): { toolChoice?: ToolChoice; parallelToolCalls?: boolean } {
  if (value === undefined || value === null) return {}
  const fields = objectAt(value, 'tool_choice')
  const alone = optionalBoolean(fields.disable_parallel_tool_use, 'tool_choice.disable_parallel_tool_use')
  const parallelToolCalls = alone === undefined ? undefined : !alone
  const type = fields.type
  if (type === 'tool') {
    return {
      toolChoice: { type: 'tool', name: stringAt(fields.name, 'tool_choice.name') },
      parallelToolCalls,
    }
  }
  if (type === 'auto' || type === 'any' || type === 'none') {
    return { toolChoice: { type: CHOICES[type] }, parallelToolCalls }
  }
  return refuseField('tool_choice.type', '"auto", "any", "tool" or "none"')
}
