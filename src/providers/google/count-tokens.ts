import type { ChatRequest } from '../../contract/chat.ts'
import { isObject } from '../../contract/formats/gemini/fields.ts'
import { GatewayError } from '../../core/errors.ts'
import type { ChatTarget, WireRequest } from '../provider.ts'
import { modelPath } from './model-path.ts'
import { toBody } from './to-request.ts'
import { createWarnings } from './warnings.ts'

/** @returns the call of `countTokens` that counts the whole request: system text and tools too */
export function toCountRequest(request: ChatRequest, target: ChatTarget): WireRequest {
  const warnings = createWarnings()
  const path = modelPath(target.model)
  const generateContentRequest = { model: path.slice(1), ...toBody(request, target.traits, warnings) }
  return { path: `${path}:countTokens`, body: { generateContentRequest }, warnings: warnings.all() }
}

/** @throws GatewayError `upstream_error` where the body holds no count */
export function fromCountReply(body: unknown): number {
  const total = isObject(body) ? body.totalTokens : undefined
  if (typeof total === 'number' && Number.isSafeInteger(total) && total >= 0) return total
  throw new GatewayError('upstream_error', { message: 'The provider answered without a count of tokens.' })
}
