import type { ChatFormat } from '../../format.ts'
import { HEARTBEAT, ResponsesEncoder } from './encoder.ts'
import { parseRequest } from './parse-request.ts'
import { toReply } from './to-reply.ts'

/** OpenAI's Responses API (`POST /v1/responses`), seen from its client. */
export const responsesFormat: ChatFormat = {
  name: 'responses',
  parseRequest: (body) => parseRequest(body),
  toReply,
  createEncoder: (request, context) => new ResponsesEncoder(request, context),
  heartbeat: HEARTBEAT,
}
