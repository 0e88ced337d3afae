import { GatewayError } from '../../../core/errors.ts'
import type { ChatRequest } from '../../chat.ts'
import { isObject, type JsonObject } from './fields.ts'
import type { ToolIdentity } from './tool-identity.ts'

/**
 * A neutral request with what only this format's replies need. It travels as an extra property of the request,
 * so that it survives every stage that copies a request with a spread.
 */
export interface ResponsesRequest extends ChatRequest {
  readonly responses: {
    /** The body as the caller wrote it, without `input`: a reply repeats these settings. */
    readonly settings: JsonObject
    /** How each tool is spelled in this format; `ChatRequest.tools` holds the neutral spelling. */
    readonly tools: readonly ToolIdentity[]
  }
}

export function isResponsesRequest(request: ChatRequest): request is ResponsesRequest {
  return 'responses' in request && isObject(request.responses)
}

const STORED = 'refers to a conversation that is stored at OpenAI: send the conversation itself'

/**
 * Fields that hold part of the conversation or start work at OpenAI: without them the answer is another one.
 * Everything else that is unmapped costs a warning only.
 */
const ESSENTIAL: readonly { readonly path: RegExp; readonly why: string }[] = [
  { path: /^tools\[\d+\]$/, why: 'is a tool that runs at OpenAI' },
  { path: /^input\[\d+\]\.tools\[\d+\]$/, why: 'is a tool that runs at OpenAI' },
  { path: /^tool_choice$/, why: 'demands a tool that runs at OpenAI' },
  { path: /^previous_response_id$/, why: STORED },
  { path: /^conversation$/, why: STORED },
  { path: /^prompt$/, why: 'refers to a prompt that is stored at OpenAI' },
  { path: /^background$/, why: 'asks for a reply that OpenAI would store and hand out later' },
  { path: /^text\.format$/, why: 'asks for an output format that only OpenAI has' },
]

/** Input items that only record what OpenAI did: the conversation is complete without them. */
const RECORDS_ONLY = new Set(['web_search_call', 'mcp_list_tools', 'tool_search_call'])

/**
 * To be asked before a request of this format is translated for a provider of another format. The provider's
 * own format carries all of it, so parsing does not refuse it.
 *
 * @throws GatewayError `unsupported_feature`, `param` naming the field, where leaving something out would
 *   change the answer
 */
export function requireTranslatable(request: ChatRequest): void {
  if (!isResponsesRequest(request)) return
  for (const { path, value } of request.unmapped) {
    const reason = ESSENTIAL.find((entry) => entry.path.test(path))
    if (reason !== undefined) throw unsupported(path, `${kindOf(value)}${reason.why}`)
  }
  for (const message of request.messages) {
    for (const part of message.content) {
      if (part.type !== 'other' || part.format !== 'responses') continue
      const type = isObject(part.raw) ? String(part.raw.type) : 'unknown'
      // Clients that keep to `store: false` (Codex; the AI SDK where told to) never send references.
      if (type === 'item_reference') {
        throw unsupported('input', 'refers to a stored item: send the item itself, or set `store` to false')
      }
      if (!RECORDS_ONLY.has(type)) {
        throw unsupported('input', `holds an item of type ${type}, which only OpenAI reads`)
      }
    }
  }
}

function kindOf(value: unknown): string {
  return isObject(value) && typeof value.type === 'string' ? `(${value.type}) ` : ''
}

function unsupported(path: string, why: string): GatewayError {
  return new GatewayError('unsupported_feature', {
    message: `\`${path}\` ${why}. The provider behind this model cannot do that; a model that the OpenAI Responses API serves can.`,
    param: path,
  })
}
