import { isFields } from '../../contract/formats/messages/read-fields.ts'
import type { UpstreamFailure } from '../provider.ts'

/**
 * The API has no code for this, only these sentences: "prompt is too long: 208310 tokens > 200000 maximum" and
 * "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000"
 * (https://github.com/anthropics/claude-code/issues/12186, https://github.com/docker/docker-agent/issues/569).
 */
const TOO_LONG = /prompt is too long|exceeds? (?:the )?context (?:limit|window)/i
/** A page of a proxy in between is no use to anyone in full. */
const TEXT_LENGTH_MAX = 500

export function fromMessagesError(status: number, body: unknown): UpstreamFailure {
  const error = isFields(body) && isFields(body.error) ? body.error : {}
  const details = isFields(error.details) ? error.details : {}
  const message =
    typeof error.message === 'string' && error.message !== '' ? error.message : plainMessage(status, body)
  return {
    message,
    ...(typeof error.type === 'string' ? { type: error.type } : {}),
    ...(typeof details.error_code === 'string' ? { code: details.error_code } : {}),
    contextLengthExceeded: status >= 400 && status < 500 && TOO_LONG.test(message),
  }
}

function plainMessage(status: number, body: unknown): string {
  const text = typeof body === 'string' ? body.trim().slice(0, TEXT_LENGTH_MAX) : ''
  return text === '' ? `The provider answered with status ${status}.` : text
}
