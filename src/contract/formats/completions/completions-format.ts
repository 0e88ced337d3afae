import type { ChatFormat } from '../../format.ts'
import { HEARTBEAT } from '../chat/encoder.ts'
import { createEncoder } from './encoder.ts'
import { parseRequest } from './parse-request.ts'
import { toReply } from './to-reply.ts'

/**
 * OpenAI's legacy completions (`POST /v1/completions`), for providers that only converse. It belongs to the chat
 * family, so its name is `chat`. Call `assertTranslatable` before a request of it is translated.
 */
export const completionsFormat: ChatFormat = {
  name: 'chat',
  parseRequest,
  toReply,
  createEncoder,
  heartbeat: HEARTBEAT,
}
