import type { ResponseFormat, Tool, ToolChoice, UnmappedField } from '../../chat.ts'
import {
  type Fields,
  invalidRequest,
  isAbsent,
  optionalBoolean,
  optionalObject,
  optionalString,
  parseArray,
  parseObject,
  parseString,
} from './fields.ts'

/**
 * @returns the functions offered, from `tools` or the deprecated `functions`; tools of other types are unmapped
 * @throws GatewayError `invalid_request` naming the field
 */
export function parseTools(body: Fields, unmapped: UnmappedField[]): Tool[] | undefined {
  if (isAbsent(body.tools)) return isAbsent(body.functions) ? undefined : parseFunctions(body.functions)
  const tools: Tool[] = []
  parseArray(body.tools, 'tools').forEach((value, index) => {
    const path = `tools[${index}]`
    const tool = parseObject(value, path)
    if (!isAbsent(tool.type) && tool.type !== 'function') unmapped.push({ path, value: tool })
    else tools.push(parseFunction(tool.function, `${path}.function`, tool.cache_control))
  })
  return tools
}

function parseFunctions(value: unknown): Tool[] {
  return parseArray(value, 'functions').map((item, index) =>
    parseFunction(item, `functions[${index}]`, undefined),
  )
}

function parseFunction(value: unknown, path: string, cacheControl: unknown): Tool {
  const definition = parseObject(value, path)
  const description = optionalString(definition.description, `${path}.description`)
  const parameters = optionalObject(definition.parameters, `${path}.parameters`)
  const strict = optionalBoolean(definition.strict, `${path}.strict`)
  return {
    name: parseString(definition.name, `${path}.name`),
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict }),
    ...(isAbsent(cacheControl) ? {} : { cacheControl }),
  }
}

/**
 * @returns the choice, from `tool_choice` or the deprecated `function_call`
 * @throws GatewayError `invalid_request` naming the field
 */
export function parseToolChoice(body: Fields, unmapped: UnmappedField[]): ToolChoice | undefined {
  if (isAbsent(body.tool_choice)) return parseFunctionChoice(body.function_call)
  if (typeof body.tool_choice === 'string') return choiceOfWord(body.tool_choice)
  const choice = parseObject(body.tool_choice, 'tool_choice')
  if (choice.type === 'function') {
    const named = parseObject(choice.function, 'tool_choice.function')
    return { type: 'tool', name: parseString(named.name, 'tool_choice.function.name') }
  }
  if (choice.type === 'allowed_tools') {
    const allowed = parseObject(choice.allowed_tools, 'tool_choice.allowed_tools')
    unmapped.push({ path: 'tool_choice.allowed_tools', value: allowed })
    return choiceOfWord(parseString(allowed.mode, 'tool_choice.allowed_tools.mode'))
  }
  unmapped.push({ path: 'tool_choice', value: choice })
  return undefined
}

function choiceOfWord(word: string): ToolChoice {
  if (word === 'auto' || word === 'none' || word === 'required') return { type: word }
  // Mistral's word for it.
  if (word === 'any') return { type: 'required' }
  throw invalidRequest(
    'tool_choice',
    "Invalid value for 'tool_choice': expected none, auto, required or an object.",
  )
}

function parseFunctionChoice(value: unknown): ToolChoice | undefined {
  if (isAbsent(value)) return undefined
  if (value === 'auto' || value === 'none') return { type: value }
  const named = parseObject(value, 'function_call')
  return { type: 'tool', name: parseString(named.name, 'function_call.name') }
}

/**
 * @returns the format asked for; one we do not know is unmapped
 * @throws GatewayError `invalid_request` naming the field
 */
export function parseResponseFormat(value: unknown, unmapped: UnmappedField[]): ResponseFormat | undefined {
  if (isAbsent(value)) return undefined
  const format = parseObject(value, 'response_format')
  switch (parseString(format.type, 'response_format.type')) {
    case 'text':
      return { type: 'text' }
    case 'json_object':
      return { type: 'json' }
    case 'json_schema':
      return parseJsonSchema(parseObject(format.json_schema, 'response_format.json_schema'))
    default:
      unmapped.push({ path: 'response_format', value: format })
      return undefined
  }
}

function parseJsonSchema(schema: Fields): ResponseFormat {
  const path = 'response_format.json_schema'
  const description = optionalString(schema.description, `${path}.description`)
  const strict = optionalBoolean(schema.strict, `${path}.strict`)
  return {
    type: 'json-schema',
    name: parseString(schema.name, `${path}.name`),
    schema: optionalObject(schema.schema, `${path}.schema`) ?? {},
    ...(description === undefined ? {} : { description }),
    ...(strict === undefined ? {} : { strict }),
  }
}
