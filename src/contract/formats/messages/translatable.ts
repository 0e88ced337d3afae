import { GatewayError } from '../../../core/errors.ts'
import type { ChatRequest } from '../../chat.ts'
import { isFields } from './read-fields.ts'

/** A whole tool, and a whole block inside the result of one: what an answer may hang on. */
const NEEDED = /^(?:tools\[\d+\]|messages\[\d+\]\.content\[\d+\]\.content\[\d+\]|container|mcp_servers)$/

/**
 * Refuses what only Anthropic can do, before a request of this format is written in another one. Forwarded to
 * Anthropic it needs no check.
 *
 * @throws GatewayError `unsupported_feature` that names the field
 */
export function assertTranslatable(request: ChatRequest): void {
  for (const { path, value } of request.unmapped) {
    if (NEEDED.test(path)) throw untranslatable(path, value)
  }
  for (const [index, message] of request.messages.entries()) {
    const part = message.content.find(
      (candidate) => candidate.type === 'other' && candidate.format === 'messages',
    )
    if (part?.type === 'other') throw untranslatable(`messages[${index}].content`, part.raw)
  }
}

function untranslatable(path: string, value: unknown): GatewayError {
  const type = isFields(value) && typeof value.type === 'string' ? ` (\`${value.type}\`)` : ''
  return new GatewayError('unsupported_feature', {
    message: `\`${path}\`${type} is a feature of Anthropic's own API, and this model is served by another provider.`,
    param: path,
  })
}
