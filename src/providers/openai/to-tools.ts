import type { ChatRequest, Tool, ToolChoice } from '../../contract/chat.ts'
import { isResponsesRequest } from '../../contract/formats/responses/responses-request.ts'
import { identitiesByName, type ToolIdentity } from '../../contract/formats/responses/tool-identity.ts'

type WireTool = Record<string, unknown>

/**
 * @returns the tools in this API's form. A request that came in this format gets its custom and namespaced tools
 *   back, and the tools that run at OpenAI.
 */
export function toTools(request: ChatRequest, identities: readonly ToolIdentity[]): WireTool[] {
  const byName = identitiesByName(identities)
  const extras: ReadonlyMap<string, unknown> = new Map(
    isResponsesRequest(request) ? request.unmapped.map(({ path, value }) => [path, value]) : [],
  )
  const tools: WireTool[] = []
  const namespaces = new Map<string, WireTool[]>()
  for (const tool of request.tools ?? []) {
    const identity = byName.get(tool.name)
    const wire = toTool(tool, identity, extras)
    if (identity?.namespace === undefined) {
      tools.push(wire)
      continue
    }
    const members = namespaces.get(identity.namespace)
    if (members !== undefined) {
      members.push(wire)
      continue
    }
    const first = [wire]
    namespaces.set(identity.namespace, first)
    const path = identity.path.replace(/\.tools\[\d+\]$/, '')
    const description = extras.get(`${path}.description`) ?? ''
    tools.push({ type: 'namespace', name: identity.namespace, description, tools: first })
  }
  return [...tools, ...hostedTools(extras)]
}

function toTool(
  tool: Tool,
  identity: ToolIdentity | undefined,
  extras: ReadonlyMap<string, unknown>,
): WireTool {
  const name = identity?.wireName ?? tool.name
  const description = tool.description === undefined ? {} : { description: tool.description }
  if (identity?.custom === true) {
    return { type: 'custom', name, ...description, ...extrasOf(identity, extras) }
  }
  return {
    type: 'function',
    name,
    ...description,
    parameters: tool.parameters ?? { type: 'object', properties: {} },
    // Left out it would mean strict here, and loose in every other format.
    ...(tool.strict === undefined && identity !== undefined ? {} : { strict: tool.strict ?? false }),
    ...(identity === undefined ? {} : extrasOf(identity, extras)),
  }
}

/** Settings of one tool that the neutral model does not carry: a grammar, deferred loading. */
function extrasOf(identity: ToolIdentity, extras: ReadonlyMap<string, unknown>): WireTool {
  const prefix = `${identity.path}.`
  const own: WireTool = {}
  for (const [path, value] of extras) {
    if (!path.startsWith(prefix)) continue
    const field = path.slice(prefix.length)
    if (!field.includes('.') && !field.includes('[')) own[field] = value
  }
  return own
}

/** Tools that run at OpenAI stand whole under their path. */
function hostedTools(extras: ReadonlyMap<string, unknown>): WireTool[] {
  return [...extras]
    .filter(([path]) => /^(input\[\d+\]\.)?tools\[\d+\]$/.test(path))
    .map(([, value]) => value)
    .filter((value): value is WireTool => typeof value === 'object' && value !== null)
}

export function toToolChoice(choice: ToolChoice, identities: readonly ToolIdentity[]): unknown {
  if (choice.type !== 'tool') return choice.type
  const identity = identitiesByName(identities).get(choice.name)
  return {
    type: identity?.custom === true ? 'custom' : 'function',
    name: identity?.wireName ?? choice.name,
    ...(identity?.namespace === undefined ? {} : { namespace: identity.namespace }),
  }
}
