import type { UnmappedField } from '../../contract/chat.ts'
import { type Fields, isFields } from '../../contract/formats/messages/read-fields.ts'
import type { Notes } from './notes.ts'

/**
 * Fields of the Messages format that the neutral model does not carry, but that a request of that format brings to
 * this provider when it had to be written anew (because something in it was redacted, say).
 */
const OWN_FIELDS = new Set([
  'cache_control',
  'container',
  'context_management',
  'diagnostics',
  'inference_geo',
  'mcp_servers',
  'speed',
])
const OWN_TIERS = new Set(['auto', 'standard_only'])
/** Types of tools that Anthropic defines end in a date, but for one (`ToolUnion` of @anthropic-ai/sdk 1.11). */
const SERVER_TOOL = /_\d{8}$|^mcp_toolset$/
const TOOL = /^tools\[(\d+)\]$/
const TOOL_FIELD = /^tools\[(\d+)\]\.(\w+)$/

export interface Restored {
  readonly fields: Fields
  readonly outputConfig: Fields
  readonly display: string | undefined
}

/** @returns the caller's fields that are this API's own; every other one becomes a warning */
export function restoreUnmapped(unmapped: readonly UnmappedField[], notes: Notes): Restored {
  const fields: Record<string, unknown> = {}
  const outputConfig: Record<string, unknown> = {}
  let display: string | undefined
  for (const field of unmapped) {
    const { path, value } = field
    if (OWN_FIELDS.has(path)) fields[path] = value
    else if (path === 'service_tier' && typeof value === 'string' && OWN_TIERS.has(value))
      fields[path] = value
    else if (path === 'thinking.display' && typeof value === 'string') display = value
    else if (path.startsWith('output_config.')) outputConfig[path.slice('output_config.'.length)] = value
    else if (!isServerTool(field) && !TOOL_FIELD.test(path)) {
      notes.warn(path, 'The provider does not know this setting; it was left out.')
    }
  }
  return { fields, outputConfig, display }
}

function isServerTool({ path, value }: UnmappedField): boolean {
  return TOOL.test(path) && isFields(value) && typeof value.type === 'string' && SERVER_TOOL.test(value.type)
}

/** @returns all tools in the caller's order, with the settings of each that only this API knows */
export function toServerTools(unmapped: readonly UnmappedField[], own: readonly Fields[]): readonly Fields[] {
  const server = new Map<number, Fields>()
  for (const field of unmapped) {
    const index = TOOL.exec(field.path)?.[1]
    if (index !== undefined && isServerTool(field) && isFields(field.value))
      server.set(Number(index), field.value)
  }
  const rest = [...own]
  const tools = Array.from(
    { length: own.length + server.size },
    (_, index): Fields => server.get(index) ?? rest.shift() ?? {},
  )
  for (const { path, value } of unmapped) {
    const match = TOOL_FIELD.exec(path)
    const index = Number(match?.[1])
    const tool = tools[index]
    if (match?.[2] !== undefined && tool !== undefined) tools[index] = { ...tool, [match[2]]: value }
  }
  return tools.filter((tool) => Object.keys(tool).length > 0)
}
