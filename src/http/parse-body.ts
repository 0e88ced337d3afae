import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../core/errors.ts'
import { nestsDeeperThan } from './json-depth.ts'

/** Schemas and conversations need a few dozen; whatever walks a body later may rely on it to end. */
const DEPTH_MAX = 500

/**
 * @param encoding the header `content-encoding`
 * @returns the JSON object that the body is
 * @throws GatewayError `invalid_request`
 */
export function parseBody(body: Buffer | undefined, encoding: string | undefined): Record<string, unknown> {
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new GatewayError('invalid_request', {
      message: 'Compressed bodies are not read: send it without `content-encoding`.',
      param: 'content-encoding',
    })
  }
  if (body === undefined || body.length === 0) {
    throw new GatewayError('invalid_request', {
      message: 'The request has no body; a JSON object is expected.',
    })
  }
  // RFC 8259, section 8.1. A reader that mends such bytes reads another text than the next one, who gets them as they came.
  if (!isUtf8(body)) throw new GatewayError('invalid_request', { message: 'The body is not valid UTF-8.' })
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new GatewayError('invalid_request', {
      message: 'The body is not valid JSON.',
      detail: { reason: error instanceof Error ? error.message.slice(0, 100) : '' },
    })
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new GatewayError('invalid_request', { message: 'The body has to be a JSON object.' })
  }
  if (nestsDeeperThan(json, DEPTH_MAX)) {
    throw new GatewayError('invalid_request', { message: `The body nests more than ${DEPTH_MAX} deep.` })
  }
  return json as Record<string, unknown>
}
