import type { ChatRequest } from '../../contract/chat.ts'
import type { ChatTarget, WireRequest } from '../provider.ts'
import { modelPath } from './model-path.ts'
import { refuseFields } from './refuse-fields.ts'
import { restoreUnmapped } from './restore.ts'
import { toContents } from './to-contents.ts'
import { toGenerationConfig } from './to-generation-config.ts'
import { toTools } from './to-tools.ts'
import { type GoogleTraits, THINKING_DEFAULT } from './traits.ts'
import { createWarnings, type WarningList } from './warnings.ts'

/**
 * @returns the call of `generateContent` or `streamGenerateContent?alt=sse` that asks for the same; usage comes
 *   without being asked for
 * @throws GatewayError `unsupported_feature` or `invalid_request` that names the field
 */
export function toRequest(request: ChatRequest, target: ChatTarget): WireRequest {
  const warnings = createWarnings()
  const body = toBody(request, target.traits, warnings)
  const method = request.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'
  return { path: `${modelPath(target.model)}:${method}`, body, warnings: warnings.all() }
}

/** @returns the body of `generateContent`, which is also what `countTokens` counts */
export function toBody(
  request: ChatRequest,
  traits: GoogleTraits,
  warnings: WarningList,
): Record<string, unknown> {
  // Levels came with Gemini 3, and with them the rules about signatures and media in results.
  const modern = (traits.thinking ?? THINKING_DEFAULT).control === 'level'
  const { contents, systemInstruction } = toContents(request.messages, {
    mediaInResults: modern,
    signedCalls: modern,
    warnings,
  })
  const generationConfig = toGenerationConfig(request, traits, warnings)
  const body: Record<string, unknown> = {
    contents,
    ...(systemInstruction === undefined ? {} : { systemInstruction }),
    ...toTools(request, warnings),
    ...(Object.keys(generationConfig).length === 0 ? {} : { generationConfig }),
  }
  warnAboutRest(request, warnings)
  restoreUnmapped(body, request.unmapped, warnings)
  refuseFields(body, traits.refuses ?? [], warnings)
  return body
}

function warnAboutRest(request: ChatRequest, warnings: WarningList): void {
  if (request.logitBias !== undefined && Object.keys(request.logitBias).length > 0) {
    warnings.add('logit_bias', 'Gemini cannot favour single tokens.')
  }
  if (request.user !== undefined) warnings.add('user', 'Gemini is not told who the end user is.')
  if (request.metadata !== undefined && Object.keys(request.metadata).length > 0) {
    warnings.add('metadata', 'Gemini keeps no metadata of a request.')
  }
}
