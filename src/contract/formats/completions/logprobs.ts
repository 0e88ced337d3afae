import { isObject } from '../chat/fields.ts'

/** The legacy shape: parallel arrays, one entry per token. */
export interface CompletionLogprobs {
  readonly tokens: string[]
  readonly token_logprobs: number[]
  readonly top_logprobs: Record<string, number>[]
  readonly text_offset: number[]
}

/**
 * @param logprobs the chat shape: `{content: [{token, logprob, top_logprobs}]}`
 * @param offset characters of text before the first token
 * @returns the legacy shape; `null` where there is nothing
 */
export function toCompletionLogprobs(logprobs: unknown, offset: number): CompletionLogprobs | null {
  const content =
    isObject(logprobs) && Array.isArray(logprobs.content) ? logprobs.content.filter(isObject) : []
  if (content.length === 0) return null
  const legacy: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  let position = offset
  for (const { token, logprob, top_logprobs: top } of content) {
    const text = typeof token === 'string' ? token : ''
    legacy.tokens.push(text)
    legacy.token_logprobs.push(typeof logprob === 'number' ? logprob : 0)
    legacy.top_logprobs.push(toTop(top))
    legacy.text_offset.push(position)
    position += text.length
  }
  return legacy
}

function toTop(top: unknown): Record<string, number> {
  const entries = (Array.isArray(top) ? top : []).filter(isObject).flatMap(({ token, logprob }) => {
    return typeof token === 'string' && typeof logprob === 'number' ? [[token, logprob] as const] : []
  })
  return Object.fromEntries(entries)
}
