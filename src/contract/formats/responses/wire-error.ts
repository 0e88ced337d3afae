import type { StreamError } from '../../chat.ts'

/**
 * Codes that Codex acts on by name (openai/codex, `codex-rs/codex-api/src/sse/responses.rs`): it stops at
 * `insufficient_quota` and waits at `rate_limit_exceeded`; anything it does not know it tries again.
 * `invalid_prompt` is OpenAI's code for a prompt that its policy refuses (`ResponseError` in openai-node).
 */
const CODE_OF_TYPE: Readonly<Record<string, string>> = {
  insufficient_quota: 'insufficient_quota',
  rate_limit_error: 'rate_limit_exceeded',
  content_policy: 'invalid_prompt',
}

/** @returns the code for `response.error.code`: the error's own, but for kinds that clients know by another name */
export function wireErrorCode(error: StreamError): string {
  return CODE_OF_TYPE[error.type] ?? error.code
}
