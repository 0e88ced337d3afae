/** How one tool is spelled in a request of the Responses API, beside its neutral spelling. */
export interface ToolIdentity {
  /** Name in the neutral model: unique over all namespaces, safe for every provider. */
  readonly name: string
  /** Name in the caller's own spelling. */
  readonly wireName: string
  readonly namespace?: string
  /** A custom tool takes free text; its neutral form is a function with one string, `input`. */
  readonly custom: boolean
  /** Where the caller wrote it, for example `tools[2]` or `tools[0].tools[1]`. */
  readonly path: string
}

/** OpenAI's and Anthropic's bound on names of functions (`^[a-zA-Z0-9_-]{1,64}$`). */
const NAME_LENGTH_MAX = 64
const HASH_LENGTH = 8

/**
 * @returns the neutral name of a tool: its own name, or with a namespace both joined, shortened to 64
 *   characters with a hash so that long names with the same beginning stay apart
 */
export function neutralToolName(namespace: string | undefined, wireName: string): string {
  if (namespace === undefined || namespace === '') return wireName
  const joined = `${namespace}${namespace.endsWith('__') ? '' : '__'}${wireName}`
  const safe = joined.replaceAll(/[^a-zA-Z0-9_-]/g, '_')
  if (safe === joined && safe.length <= NAME_LENGTH_MAX) return safe
  return `${safe.slice(0, NAME_LENGTH_MAX - HASH_LENGTH - 1)}_${hash(joined)}`
}

/** @returns identities by neutral name; the first of two with the same name counts */
export function identitiesByName(tools: readonly ToolIdentity[]): ReadonlyMap<string, ToolIdentity> {
  const byName = new Map<string, ToolIdentity>()
  for (const tool of tools) if (!byName.has(tool.name)) byName.set(tool.name, tool)
  return byName
}

/** FNV-1a, 32 bits, as eight hexadecimal digits: it only keeps names apart, it protects nothing. */
function hash(text: string): string {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return (value >>> 0).toString(16).padStart(HASH_LENGTH, '0')
}
