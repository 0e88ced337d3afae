import { isObject } from '../../contract/formats/chat/fields.ts'
import { unsupported } from './to-content.ts'
import type { Warnings } from './warnings.ts'

/** Fields without which the answer is another one: the caller has to know, or another target has to answer. */
const DECISIVE = new Set([
  'tools',
  'tool_choice.forced',
  'response_format',
  'response_format.json_schema',
  'response_format.json_object',
  'n',
  'stop',
  'logprobs',
])

/**
 * Takes out of `body` what the provider refuses, with a warning each.
 *
 * @param refuses names of fields, or one of `messages.name`, `tools.strict`, `tool_choice.forced`,
 *   `response_format.json_schema`, `response_format.json_object`
 * @throws GatewayError `unsupported_feature` for a field that decides the answer
 */
export function refuseFields(
  body: Record<string, unknown>,
  refuses: readonly string[],
  warnings: Warnings,
): void {
  for (const field of refuses) {
    if (!isAsked(body, field)) continue
    if (DECISIVE.has(field)) {
      const name = field.split('.')[0] ?? field
      throw unsupported(name, `This provider does not support \`${field}\`, which this request needs.`)
    }
    takeOut(body, field)
    warnings.add(field, `This provider does not support \`${field}\`; it was left out.`)
  }
}

function isAsked(body: Record<string, unknown>, field: string): boolean {
  switch (field) {
    case 'messages.name':
      return messagesOf(body).some((message) => 'name' in message)
    case 'tools.strict':
      return functionsOf(body).some((definition) => 'strict' in definition)
    case 'tool_choice.forced':
      return body.tool_choice !== undefined && body.tool_choice !== 'auto' && body.tool_choice !== 'none'
    case 'response_format.json_schema':
    case 'response_format.json_object':
      return isObject(body.response_format) && `response_format.${body.response_format.type}` === field
    default:
      return field in body
  }
}

function takeOut(body: Record<string, unknown>, field: string): void {
  if (field === 'messages.name') for (const message of messagesOf(body)) delete message.name
  else if (field === 'tools.strict') for (const definition of functionsOf(body)) delete definition.strict
  else delete body[field]
}

function messagesOf(body: Record<string, unknown>): Record<string, unknown>[] {
  return Array.isArray(body.messages) ? body.messages : []
}

function functionsOf(body: Record<string, unknown>): Record<string, unknown>[] {
  return Array.isArray(body.tools) ? body.tools.map((tool) => tool.function) : []
}
