import type { ChatRequest } from '../../contract/chat.ts'
import type { Fields } from '../../contract/formats/messages/read-fields.ts'
import { type Notes, unsupported } from './notes.ts'
import { toOutputSchema } from './output-schema.ts'
import type { AnthropicTraits } from './traits.ts'

/**
 * Name of the tool that stands in for a response format. It is how a reply says that the arguments of this call
 * are its text, so nothing has to be remembered between the request and its reply.
 */
export const STRUCTURED_OUTPUT_TOOL = 'gatehouse_structured_output'

const JSON_INSTRUCTION = 'Answer with one JSON value and nothing else: no explanation and no code fence.'

/** How the wanted shape of the answer is asked for: at most one of the three. */
export interface FormatPlan {
  /** `output_config.format`. */
  readonly format?: Fields
  /** A tool to be forced. */
  readonly tool?: Fields
  /** A block of `system`. */
  readonly instruction?: string
}

/** @throws GatewayError `unsupported_feature` where the model can be held to the schema in no way */
export function planFormat(request: ChatRequest, traits: AnthropicTraits, notes: Notes): FormatPlan {
  const wanted = request.responseFormat
  if (wanted === undefined || wanted.type === 'text') return {}
  if (wanted.type === 'json') {
    notes.warn('response_format', 'The provider has no JSON mode; the model was told to answer in JSON.')
    return { instruction: JSON_INSTRUCTION }
  }
  // The caller forces a tool of its own, so this turn has no text to shape.
  if (request.toolChoice?.type === 'tool') {
    notes.warn('response_format', 'A tool is forced, so the format of the text was left out.')
    return {}
  }
  const output = traits.structuredOutputs === true ? toOutputSchema(wanted.schema) : undefined
  if (output !== undefined) {
    if (output.softened.length > 0) {
      const keywords = output.softened.join(', ')
      notes.warn(
        'response_format',
        `The provider does not enforce ${keywords}; the model was told of it in words.`,
      )
    }
    return { format: { type: 'json_schema', schema: output.schema } }
  }
  if (traits.forcedTools === 'never') {
    throw unsupported(
      'response_format',
      'This model cannot be held to the schema: it has open keys or refers to itself.',
    )
  }
  notes.warn(
    'response_format',
    'The provider cannot compile this schema; the model was made to call a tool with it.',
  )
  return {
    tool: {
      name: STRUCTURED_OUTPUT_TOOL,
      description: wanted.description ?? 'Gives the answer. Call this once, with the whole answer.',
      input_schema: { ...wanted.schema, type: 'object' },
    },
  }
}
