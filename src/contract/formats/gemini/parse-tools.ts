import type { Tool, ToolChoice, UnmappedField } from '../../chat.ts'
import { type FieldReader, invalidField, isObject, readFields } from './fields.ts'
import { fromSchema } from './from-schema.ts'

export interface ParsedTools {
  readonly tools: readonly Tool[] | undefined
  readonly toolChoice: ToolChoice | undefined
}

/**
 * @param unmapped takes Google's own tools (`tools[0].googleSearch`), which nobody else can run
 * @returns the caller's functions, and whether they may or have to be called
 */
export function parseTools(body: FieldReader, unmapped: UnmappedField[]): ParsedTools {
  const list = body.array('tools') ?? []
  const tools = list.flatMap((tool, index) =>
    parseTool(readFields(tool, `${body.at('tools')}[${index}]`), unmapped),
  )
  const config = body.object('toolConfig')
  const calling = config?.object('functionCallingConfig')
  const { toolChoice, allowed } = calling === undefined ? NO_CHOICE : parseChoice(calling, unmapped)
  if (config !== undefined) unmapped.push(...config.rest())
  // Which functions may be called is said to other providers by naming no others.
  const offered = allowed === undefined ? tools : tools.filter((tool) => allowed.includes(tool.name))
  return { tools: offered.length === 0 ? undefined : offered, toolChoice }
}

interface Choice {
  readonly toolChoice: ToolChoice | undefined
  /** Several names of functions, one of which has to be called. */
  readonly allowed?: readonly string[]
}

const NO_CHOICE: Choice = { toolChoice: undefined }

function parseTool(tool: FieldReader, unmapped: UnmappedField[]): Tool[] {
  const declarations = tool.array('functionDeclarations') ?? []
  const path = tool.at('functionDeclarations')
  unmapped.push(...tool.rest())
  return declarations.map((item, index) => parseDeclaration(readFields(item, `${path}[${index}]`), unmapped))
}

function parseDeclaration(declaration: FieldReader, unmapped: UnmappedField[]): Tool {
  const name = declaration.string('name')
  if (name === undefined) throw invalidField(declaration.at('name'), 'is missing.')
  const description = declaration.string('description')
  const json = declaration.value('parametersJsonSchema')
  const schema = declaration.value('parameters')
  if (json !== undefined && !isObject(json)) {
    throw invalidField(declaration.at('parametersJsonSchema'), 'has to be an object.')
  }
  const parameters =
    json ?? (schema === undefined ? undefined : fromSchema(schema, declaration.at('parameters')))
  unmapped.push(...declaration.rest())
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  }
}

function parseChoice(calling: FieldReader, unmapped: UnmappedField[]): Choice {
  const mode = calling.string('mode') ?? 'MODE_UNSPECIFIED'
  const names = calling.strings('allowedFunctionNames') ?? []
  unmapped.push(...calling.rest())
  const [only] = names
  switch (mode.toUpperCase()) {
    case 'MODE_UNSPECIFIED':
      return NO_CHOICE
    case 'AUTO':
      return { toolChoice: { type: 'auto' } }
    case 'NONE':
      return { toolChoice: { type: 'none' } }
    case 'VALIDATED':
      // Calls or text, calls true to their schema: what others call `auto`, with a promise they do not make.
      unmapped.push({ path: calling.at('mode'), value: mode })
      return names.length === 0
        ? { toolChoice: { type: 'auto' } }
        : { toolChoice: { type: 'auto' }, allowed: names }
    case 'ANY':
      if (only === undefined) return { toolChoice: { type: 'required' } }
      if (names.length === 1) return { toolChoice: { type: 'tool', name: only } }
      return { toolChoice: { type: 'required' }, allowed: names }
    default:
      throw invalidField(calling.at('mode'), 'has to be AUTO, ANY, NONE or VALIDATED.')
  }
}
