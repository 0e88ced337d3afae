import { type Asked, type ToolChoice, Transcript } from './conversation.ts'
import { SimulatedError } from './error-shapes.ts'
import { isObject, type JsonObject, toList, toNumber, toObject, toText, toTexts } from './json.ts'

/** @returns what is asked for; both spellings of a field count, as with every protobuf API */
export function readGemini(body: JsonObject, model: string): Asked {
  const contents = readContents(body.contents)
  if (contents.length === 0) {
    throw new SimulatedError(400, '* GenerateContentRequest.contents: contents is not specified\n')
  }
  const transcript = new Transcript()
  transcript.turn('system')
  const system = either(body, 'systemInstruction', 'system_instruction')
  if (typeof system === 'string') transcript.text(system)
  else for (const part of toList(toObject(system).parts)) readPart(toObject(part), transcript)
  for (const content of contents) readContent(content, transcript)
  if (transcript.resultWithoutCall !== undefined || transcript.callWithoutResult !== undefined) {
    throw new SimulatedError(
      400,
      'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
    )
  }
  for (const group of toList(body.tools)) {
    for (const raw of toList(either(toObject(group), 'functionDeclarations', 'function_declarations'))) {
      const tool = toObject(raw)
      const schema = either(tool, 'parametersJsonSchema', 'parameters_json_schema') ?? tool.parameters
      transcript.tool(toText(tool.name), toText(tool.description), toObject(schema))
    }
  }
  const config = toObject(either(body, 'generationConfig', 'generation_config'))
  return {
    model,
    inputTokens: transcript.inputTokens,
    prompt: transcript.prompt,
    toolResults: transcript.toolResults,
    prefill: transcript.prefill,
    tools: transcript.tools,
    toolChoice: readToolChoice(toObject(either(body, 'toolConfig', 'tool_config'))),
    parallelCalls: true,
    outputTokensMax:
      toNumber(either(config, 'maxOutputTokens', 'max_output_tokens')) ?? Number.POSITIVE_INFINITY,
    stops: toTexts(either(config, 'stopSequences', 'stop_sequences')),
    choices: toNumber(either(config, 'candidateCount', 'candidate_count')) ?? 1,
    answerSchema: readAnswerSchema(config),
  }
}

function either(object: JsonObject, camelCase: string, snakeCase: string): unknown {
  return object[camelCase] ?? object[snakeCase]
}

function readContents(contents: unknown): readonly JsonObject[] {
  return isObject(contents) ? [contents] : toList(contents).map(toObject)
}

function readContent(content: JsonObject, transcript: Transcript): void {
  const parts = toList(content.parts).map(toObject)
  const isResponse = (part: JsonObject) => either(part, 'functionResponse', 'function_response') !== undefined
  const responses = parts.filter(isResponse)
  if (responses.length > 0) transcript.turn('tool')
  for (const part of responses) readPart(part, transcript)
  const others = parts.filter((part) => !isResponse(part))
  if (others.length > 0) transcript.turn(content.role === 'model' ? 'assistant' : 'user')
  for (const part of others) readPart(part, transcript)
}

function readPart(part: JsonObject, transcript: Transcript): void {
  if (typeof part.text === 'string') {
    if (part.thought !== true) transcript.text(part.text)
    return
  }
  const call = either(part, 'functionCall', 'function_call')
  if (isObject(call)) {
    transcript.call(pairingId(call), toText(call.name), JSON.stringify(call.args ?? {}))
    return
  }
  const result = either(part, 'functionResponse', 'function_response')
  if (isObject(result)) {
    transcript.result(pairingId(result), resultText(result.response))
    return
  }
  const blob = toObject(either(part, 'inlineData', 'inline_data') ?? either(part, 'fileData', 'file_data'))
  const mediaType = toText(either(blob, 'mimeType', 'mime_type'))
  if (mediaType.startsWith('image/')) transcript.media('image')
  else if (mediaType.startsWith('audio/')) transcript.media('audio')
  else if (mediaType !== '') transcript.media('file')
}

/** Ids are new in this format and optional; without one a result belongs to the call of its name. */
function pairingId(part: JsonObject): string {
  return toText(part.name)
}

/**
 * A result is an object here. A single text in it is the result that other formats send bare; Vercel's AI SDK
 * puts the tool's name beside it.
 */
function resultText(response: unknown): string {
  if (!isObject(response)) return toText(response)
  const { name: _, ...fields } = response
  const values = Object.values(fields)
  const only = values[0]
  return values.length === 1 && typeof only === 'string' ? only : JSON.stringify(response)
}

function readToolChoice(toolConfig: JsonObject): ToolChoice {
  const config = toObject(either(toolConfig, 'functionCallingConfig', 'function_calling_config'))
  const names = toTexts(either(config, 'allowedFunctionNames', 'allowed_function_names'))
  switch (config.mode) {
    case 'NONE':
      return 'none'
    case 'ANY':
      return names.length > 0 ? { names } : 'required'
    default:
      return 'auto'
  }
}

function readAnswerSchema(config: JsonObject): Asked['answerSchema'] {
  const schema =
    either(config, 'responseJsonSchema', 'response_json_schema') ??
    either(config, 'responseSchema', 'response_schema')
  if (isObject(schema)) return schema
  const mediaType = either(config, 'responseMimeType', 'response_mime_type')
  return mediaType === 'application/json' ? 'any-json' : undefined
}
