import type { ChatFormat } from '../../format.ts'
import { HEARTBEAT, MessagesEncoder } from './encoder.ts'
import { parseMessagesRequest } from './parse-request.ts'
import { toMessagesReply } from './to-reply.ts'

/** Anthropic Messages (`POST /v1/messages`), seen from its client. */
export const messagesFormat: ChatFormat = {
  name: 'messages',
  parseRequest: parseMessagesRequest,
  toReply: toMessagesReply,
  createEncoder: (request, context) => new MessagesEncoder(request, context),
  heartbeat: HEARTBEAT,
}
