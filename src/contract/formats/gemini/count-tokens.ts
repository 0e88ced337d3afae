import type { ChatRequest } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { isObject } from './fields.ts'
import { parseRequest } from './parse-request.ts'

/**
 * Reads the body of `models/{model}:countTokens`: either `contents`, or a whole `generateContentRequest` whose
 * system instruction and tools count too.
 *
 * @throws GatewayError `invalid_request` with `param` naming the field
 */
export function parseCountTokens(body: unknown, context: RequestContext): ChatRequest {
  const whole = isObject(body) ? (body.generateContentRequest ?? body.generate_content_request) : undefined
  return parseRequest(whole ?? body, { ...context, pathStream: false })
}

/** @returns the body of the reply, a `CountTokensResponse` */
export function toCountTokensReply(inputTokens: number): { totalTokens: number } {
  return { totalTokens: inputTokens }
}
