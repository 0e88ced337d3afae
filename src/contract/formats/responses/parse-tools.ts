import type { Tool, ToolChoice, UnmappedField } from '../../chat.ts'
import { CUSTOM_INPUT_PARAMETERS } from './custom-input.ts'
import {
  invalidField,
  isObject,
  type JsonObject,
  readArray,
  readBoolean,
  readObject,
  readString,
  requireString,
} from './fields.ts'
import { neutralToolName, type ToolIdentity } from './tool-identity.ts'

export interface ParsedTools {
  readonly tools: readonly Tool[]
  readonly identities: readonly ToolIdentity[]
  readonly unmapped: readonly UnmappedField[]
}

interface Collector {
  readonly tools: Tool[]
  readonly identities: ToolIdentity[]
  readonly unmapped: UnmappedField[]
}

/** Settings of a tool that the neutral model has no word for. */
const EXTRAS = ['defer_loading', 'allowed_callers', 'async', 'output_schema'] as const

/**
 * @param path where the array stands: `tools`, or `input[3].tools`
 * @returns function, custom and namespaced tools in neutral form; tools that run at OpenAI under `unmapped`, whole
 */
export function parseTools(raw: readonly unknown[], path: string): ParsedTools {
  const into: Collector = { tools: [], identities: [], unmapped: [] }
  for (const [index, tool] of raw.entries()) parseTool(tool, `${path}[${index}]`, into)
  return into
}

function parseTool(raw: unknown, path: string, into: Collector): void {
  if (!isObject(raw)) throw invalidField(path, 'must be an object')
  const type = requireString(raw, 'type', `${path}.type`)
  if (type === 'function' || type === 'custom') addTool(raw, undefined, path, into)
  else if (type === 'namespace') addNamespace(raw, path, into)
  else into.unmapped.push({ path, value: raw })
}

function addNamespace(raw: JsonObject, path: string, into: Collector): void {
  const namespace = requireString(raw, 'name', `${path}.name`)
  // The description of a whole namespace has no place beside its tools.
  if (typeof raw.description === 'string' && raw.description !== '') {
    into.unmapped.push({ path: `${path}.description`, value: raw.description })
  }
  for (const [index, tool] of (readArray(raw, 'tools', `${path}.tools`) ?? []).entries()) {
    const toolPath = `${path}.tools[${index}]`
    if (!isObject(tool)) throw invalidField(toolPath, 'must be an object')
    if (tool.type === 'function' || tool.type === 'custom') addTool(tool, namespace, toolPath, into)
    else throw invalidField(`${toolPath}.type`, 'must be function or custom')
  }
}

function addTool(raw: JsonObject, namespace: string | undefined, path: string, into: Collector): void {
  const wireName = requireString(raw, 'name', `${path}.name`)
  const name = neutralToolName(namespace, wireName)
  const custom = raw.type === 'custom'
  const description = readString(raw, 'description', `${path}.description`)
  const parameters = custom ? CUSTOM_INPUT_PARAMETERS : readObject(raw, 'parameters', `${path}.parameters`)
  const strict = readBoolean(raw, 'strict', `${path}.strict`)
  into.tools.push({
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict }),
  })
  into.identities.push({ name, wireName, ...(namespace === undefined ? {} : { namespace }), custom, path })
  // Plain text is what the neutral form asks for anyway; a grammar is a promise that others do not keep.
  if (custom && isObject(raw.format) && raw.format.type !== 'text') {
    into.unmapped.push({ path: `${path}.format`, value: raw.format })
  }
  for (const field of EXTRAS) {
    const value = raw[field]
    if (value !== undefined && value !== null && value !== false) {
      into.unmapped.push({ path: `${path}.${field}`, value })
    }
  }
}

export interface ParsedToolChoice {
  readonly toolChoice?: ToolChoice
  /** Neutral names of the only tools that may be called; `undefined` means all. */
  readonly allowed?: ReadonlySet<string>
  /** The choice demands a tool that runs at OpenAI. */
  readonly hosted: boolean
}

/** @returns the neutral choice; `{hosted: true}` where the choice has no neutral form */
export function parseToolChoice(raw: unknown, identities: readonly ToolIdentity[]): ParsedToolChoice {
  if (raw === undefined || raw === null) return { hosted: false }
  if (raw === 'auto' || raw === 'none' || raw === 'required') {
    return { toolChoice: { type: raw }, hosted: false }
  }
  if (!isObject(raw)) throw invalidField('tool_choice', 'must be auto, none, required or an object')
  if (raw.type === 'function' || raw.type === 'custom') {
    const name = toNeutralName(requireString(raw, 'name', 'tool_choice.name'), raw.namespace, identities)
    return { toolChoice: { type: 'tool', name }, hosted: false }
  }
  if (raw.type === 'allowed_tools') return parseAllowed(raw, identities)
  return { hosted: true }
}

function parseAllowed(raw: JsonObject, identities: readonly ToolIdentity[]): ParsedToolChoice {
  const allowed = new Set<string>()
  for (const [index, tool] of (readArray(raw, 'tools', 'tool_choice.tools') ?? []).entries()) {
    const path = `tool_choice.tools[${index}]`
    if (!isObject(tool)) throw invalidField(path, 'must be an object')
    if (tool.type !== 'function' && tool.type !== 'custom') return { hosted: true }
    allowed.add(toNeutralName(requireString(tool, 'name', `${path}.name`), tool.namespace, identities))
  }
  return { toolChoice: { type: raw.mode === 'required' ? 'required' : 'auto' }, allowed, hosted: false }
}

/** A choice may name a namespaced tool with or without its namespace. */
function toNeutralName(wireName: string, namespace: unknown, identities: readonly ToolIdentity[]): string {
  if (typeof namespace === 'string') return neutralToolName(namespace, wireName)
  return identities.find((tool) => tool.wireName === wireName)?.name ?? wireName
}
