import type { Dialect } from '../provider.ts'
import { fromMessagesError } from './errors.ts'
import { type AnthropicStreamState, fromMessagesEvent, newStreamState } from './from-events.ts'
import { fromMessagesReply, usageOfMessage } from './from-reply.ts'
import { toMessagesRequest } from './to-request.ts'

/** The Messages API, as Anthropic and everyone who copied it speak it. */
export const anthropicDialect: Dialect<AnthropicStreamState> = {
  format: 'messages',
  toRequest: toMessagesRequest,
  fromReply: fromMessagesReply,
  newStreamState,
  fromEvent: fromMessagesEvent,
  fromError: fromMessagesError,
  usageOf: usageOfMessage,
}
