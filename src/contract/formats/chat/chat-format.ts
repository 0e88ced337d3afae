import type { ChatFormat } from '../../format.ts'
import { createEncoder, HEARTBEAT } from './encoder.ts'
import { parseRequest } from './parse-request.ts'
import { toReply } from './to-reply.ts'

/** OpenAI Chat Completions (`POST /v1/chat/completions`). */
export const chatFormat: ChatFormat = {
  name: 'chat',
  parseRequest,
  toReply,
  createEncoder,
  heartbeat: HEARTBEAT,
}
