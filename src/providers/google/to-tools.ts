import type { ChatRequest, Tool, ToolChoice } from '../../contract/chat.ts'
import { toGoogleSchema } from './to-schema.ts'
import type { WarningList } from './warnings.ts'

/** @returns the fields `tools` and `toolConfig`; neither where the request has no tools */
export function toTools(request: ChatRequest, warnings: WarningList): Record<string, unknown> {
  const { tools, toolChoice, parallelToolCalls } = request
  if (tools === undefined || tools.length === 0) return {}
  if (parallelToolCalls === false) {
    warnings.add('parallel_tool_calls', 'Gemini decides by itself whether it makes several calls at once.')
  }
  return {
    tools: [{ functionDeclarations: tools.map((tool, index) => toDeclaration(tool, index, warnings)) }],
    ...(toolChoice === undefined ? {} : { toolConfig: { functionCallingConfig: toCalling(toolChoice) } }),
  }
}

/**
 * The schema goes into `parametersJsonSchema`, which takes references, `additionalProperties` and lists of types;
 * the older `parameters` is a subset of OpenAPI 3.0 that has none of them.
 */
function toDeclaration(tool: Tool, index: number, warnings: WarningList): Record<string, unknown> {
  const { name, description, parameters } = tool
  if (tool.strict === true) {
    warnings.add('tools.strict', 'Gemini follows the schema of arguments but does not promise it.')
  }
  if (tool.cacheControl !== undefined)
    warnings.add('cache_control', 'Gemini chooses by itself what it caches.')
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined
      ? {}
      : { parametersJsonSchema: toGoogleSchema(parameters, `tools[${index}].parameters`) }),
  }
}

function toCalling(choice: ToolChoice): Record<string, unknown> {
  switch (choice.type) {
    case 'auto':
      return { mode: 'AUTO' }
    case 'none':
      return { mode: 'NONE' }
    case 'required':
      return { mode: 'ANY' }
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [choice.name] }
  }
}
