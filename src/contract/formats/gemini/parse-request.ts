import { GatewayError } from '../../../core/errors.ts'
import type { ChatRequest, Message, UnmappedField } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { createCallIds } from './call-ids.ts'
import { type FieldReader, invalidField, readFields } from './fields.ts'
import { parseConfig } from './parse-config.ts'
import { type ContentsState, parseContents, parseParts } from './parse-contents.ts'
import { parseTools } from './parse-tools.ts'

/**
 * Reads the body of `models/{model}:generateContent` or `:streamGenerateContent`; field names and types are those
 * of @google/genai 3.1.0 as it sends them. Google's own tools and settings become `unmapped`:
 * `requireTranslatable` says which of them no other provider can replace.
 *
 * @throws GatewayError `invalid_request` with `param` naming the field
 */
export function parseRequest(value: unknown, context: RequestContext): ChatRequest {
  const body = readFields(value, '')
  const unmapped: UnmappedField[] = []
  const state: ContentsState = { ids: createCallIds(), unmapped }
  const model = parseModel(body, context)
  const system = parseSystem(body, state)
  const contents = body.value('contents')
  if (contents === undefined || (Array.isArray(contents) && contents.length === 0)) {
    throw invalidField('contents', 'is missing or empty.')
  }
  const messages = parseContents(contents, body.at('contents'), state)
  const { tools, toolChoice } = parseTools(body, unmapped)
  const config = body.object('generationConfig')
  const settings = config === undefined ? {} : parseConfig(config, unmapped)
  unmapped.push(...body.rest())
  return {
    model,
    messages: [...system, ...messages],
    ...(tools === undefined ? {} : { tools }),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...settings,
    stream: context.pathStream ?? false,
    includeUsage: true,
    unmapped,
  }
}

/** The path names the model; a body may repeat it, as `models/…`. */
export function parseModel(body: FieldReader, context: RequestContext): string {
  const inBody = body.string('model')
  const model = (context.pathModel ?? inBody ?? '').replace(/^models\//, '')
  if (model === '')
    throw new GatewayError('invalid_request', { message: 'No model is named.', param: 'model' })
  return model
}

function parseSystem(body: FieldReader, state: ContentsState): Message[] {
  const given = body.value('systemInstruction')
  if (given === undefined) return []
  if (typeof given === 'string') return [{ role: 'system', content: [{ type: 'text', text: given }] }]
  const instruction = readFields(given, body.at('systemInstruction'))
  // The role of an instruction means nothing; SDKs write `user` or `system`.
  instruction.value('role')
  const content = parseParts(instruction, state)
  state.unmapped.push(...instruction.rest())
  return content.length === 0 ? [] : [{ role: 'system', content }]
}
