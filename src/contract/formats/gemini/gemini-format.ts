import type { ChatFormat } from '../../format.ts'
import { createEncoder, heartbeat } from './encoder.ts'
import { parseRequest } from './parse-request.ts'
import { toReply } from './to-reply.ts'

/** Google's `generateContent` and `streamGenerateContent?alt=sse`; `createArrayEncoder` has the form without SSE. */
export const geminiFormat: ChatFormat = {
  name: 'gemini',
  parseRequest,
  toReply,
  createEncoder,
  heartbeat,
}
