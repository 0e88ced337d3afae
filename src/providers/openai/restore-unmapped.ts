import type { ChatRequest } from '../../contract/chat.ts'
import { isResponsesRequest } from '../../contract/formats/responses/responses-request.ts'
import type { Warning } from '../provider.ts'

/**
 * Fields that other OpenAI formats spell the same and that mean the same here
 * (openai-node 7.55: `ResponseCreateParamsBase` and `ChatCompletionCreateParamsBase`).
 */
const SAME_IN_CHAT = new Set([
  'service_tier',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'moderation',
])

/** Nothing is stored on the caller's behalf: the reply is not fetched by its id again. */
const NEVER_SENT = new Set(['store', 'background'])

/**
 * Adds to `body` what the neutral model does not carry and this API has. A request of this very format gets all
 * of it back; of another format's fields only those that mean the same, and a warning for the rest.
 */
export function restoreUnmapped(
  request: ChatRequest,
  body: Record<string, unknown>,
  warnings: Warning[],
): void {
  const isOurs = isResponsesRequest(request)
  for (const { path, value } of request.unmapped) {
    if (path === 'verbosity') merge(body, 'text', 'verbosity', value)
    else if (SAME_IN_CHAT.has(path)) body[path] = value
    else if (isOurs && !NEVER_SENT.has(path)) restoreOwn(path, value, body, warnings)
    else warnings.push(notSent(path))
  }
}

function restoreOwn(path: string, value: unknown, body: Record<string, unknown>, warnings: Warning[]): void {
  // Tools, with all that belongs to them, are written by `toTools`.
  if (path.startsWith('tools[') || /^input\[\d+\]\.tools\[/.test(path)) return
  if (path.startsWith('input[')) {
    warnings.push(notSent(path))
    return
  }
  const [first, second] = path.split('.')
  if (path === 'include' && Array.isArray(value)) {
    body.include = [...(Array.isArray(body.include) ? body.include : []), ...value]
  } else if ((first === 'text' || first === 'reasoning') && second !== undefined) {
    merge(body, first, second, value)
  } else body[path] = value
}

function merge(body: Record<string, unknown>, holder: string, field: string, value: unknown): void {
  const earlier = body[holder]
  body[holder] = { ...(typeof earlier === 'object' && earlier !== null ? earlier : {}), [field]: value }
}

function notSent(path: string): Warning {
  return { param: path, message: `\`${path}\` has no counterpart at this provider and was left out.` }
}
