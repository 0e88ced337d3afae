import { isFields } from '../../contract/formats/messages/read-fields.ts'
import { GatewayError } from '../../core/errors.ts'
import type { TokenCountDialect } from '../provider.ts'
import { fromMessagesError } from './errors.ts'
import { toTokenCountRequest } from './to-request.ts'

/** `POST /messages/count_tokens`. */
export const anthropicTokenCount: TokenCountDialect = {
  format: 'messages',
  toRequest: toTokenCountRequest,
  fromReply: fromTokenCountReply,
  fromError: fromMessagesError,
}

/** @returns the tokens of the reply */
export function fromTokenCountReply(body: unknown): number {
  const count = isFields(body) ? body.input_tokens : undefined
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
  throw new GatewayError('upstream_error', {
    message: 'The provider answered something that is no token count.',
  })
}
