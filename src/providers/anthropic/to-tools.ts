import type { ChatRequest, Tool } from '../../contract/chat.ts'
import type { Fields } from '../../contract/formats/messages/read-fields.ts'
import { type Notes, unsupported } from './notes.ts'
import { toOutputSchema } from './output-schema.ts'
import { toServerTools } from './restore-unmapped.ts'
import type { AnthropicTraits } from './traits.ts'

/** What the API takes for a tool's name (its 400 quotes this pattern). */
const NAME = /^[a-zA-Z0-9_-]{1,128}$/

/** @param stand the tool that stands in for a response format */
export function toTools(
  request: ChatRequest,
  stand: Fields | undefined,
  traits: AnthropicTraits,
  notes: Notes,
): readonly Fields[] {
  const own = (request.tools ?? []).map((tool, index) => toTool(tool, `tools[${index}]`, traits, notes))
  const tools = toServerTools(request.unmapped, own)
  return stand === undefined ? tools : [...tools, stand]
}

function toTool(tool: Tool, param: string, traits: AnthropicTraits, notes: Notes): Fields {
  if (!NAME.test(tool.name)) {
    throw unsupported(`${param}.name`, `This provider takes tool names of letters, digits, "_" and "-" only.`)
  }
  const schema: Fields = { properties: {}, ...tool.parameters, type: 'object' }
  const enforced = tool.strict === true ? toStrictSchema(schema, param, traits, notes) : undefined
  return {
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
    input_schema: enforced ?? schema,
    ...(enforced === undefined ? {} : { strict: true }),
    ...(tool.cacheControl === undefined ? {} : { cache_control: tool.cacheControl }),
  }
}

/** @returns `undefined` where the API could not compile all of the schema, for which it refuses a whole request */
function toStrictSchema(
  schema: Fields,
  param: string,
  traits: AnthropicTraits,
  notes: Notes,
): Fields | undefined {
  const output = traits.structuredOutputs === true ? toOutputSchema(schema) : undefined
  if (output !== undefined && output.softened.length === 0) return output.schema
  notes.warn(`${param}.strict`, 'The provider cannot enforce this schema; the model sees it all the same.')
  return undefined
}

/** @throws GatewayError `unsupported_feature` where a tool is forced and the model cannot be */
export function toToolChoice(
  request: ChatRequest,
  stand: Fields | undefined,
  toolCount: number,
  traits: AnthropicTraits,
): Fields | undefined {
  if (toolCount === 0) return undefined
  const choice = chooseTool(request, stand, toolCount)
  if (traits.forcedTools === 'never' && (choice?.type === 'any' || choice?.type === 'tool')) {
    throw unsupported('tool_choice', 'This model cannot be made to call a tool: only `auto` and `none` work.')
  }
  const alone = stand !== undefined || request.parallelToolCalls === false
  if (!alone || choice?.type === 'none') return choice
  return { ...(choice ?? { type: 'auto' }), disable_parallel_tool_use: true }
}

function chooseTool(request: ChatRequest, stand: Fields | undefined, toolCount: number): Fields | undefined {
  const wanted = request.toolChoice
  if (stand !== undefined) {
    // Either the caller's own tools or the answer in its shape, but one of them.
    const only = toolCount === 1 || wanted?.type === 'none'
    return only ? { type: 'tool', name: stand.name } : { type: 'any' }
  }
  switch (wanted?.type) {
    case undefined:
      return undefined
    case 'tool':
      return { type: 'tool', name: wanted.name }
    case 'required':
      return { type: 'any' }
    case 'auto':
    case 'none':
      return { type: wanted.type }
  }
}
