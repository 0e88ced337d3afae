/** How each provider words a failure. Shapes and words: the error types of the official SDKs. */

export type Dialect = 'openai' | 'anthropic' | 'gemini'

/** A failure to be answered in the shape of the dialect that was spoken. */
export class SimulatedError extends Error {
  override readonly name = 'SimulatedError'
  readonly status: number
  /** OpenAI's `error.code`; the others have none. */
  readonly code: string | undefined
  readonly param: string | undefined

  constructor(status: number, message: string, code?: string, param?: string) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
  }
}

interface Words {
  readonly type: string
  readonly code: string | null
}

const OPENAI: Readonly<Record<number, Words>> = {
  400: { type: 'invalid_request_error', code: null },
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  402: { type: 'insufficient_quota', code: 'insufficient_quota' },
  403: { type: 'invalid_request_error', code: 'unsupported_country_region_territory' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
}

const ANTHROPIC: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

const GEMINI: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/**
 * @param retryAfterSeconds said in the body too where the dialect does (Gemini's `RetryInfo`)
 * @returns the body of an error reply
 */
export function toErrorBody(
  dialect: Dialect,
  error: SimulatedError,
  requestId: string,
  retryAfterSeconds?: number,
): object {
  const { status, message } = error
  switch (dialect) {
    case 'openai': {
      const fallback = status < 500 ? 'invalid_request_error' : 'server_error'
      const words = OPENAI[status] ?? { type: fallback, code: null }
      return {
        error: { message, type: words.type, param: error.param ?? null, code: error.code ?? words.code },
      }
    }
    case 'anthropic': {
      const type = ANTHROPIC[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
      return { type: 'error', error: { type, message }, request_id: requestId }
    }
    case 'gemini': {
      const body = {
        code: status,
        message,
        status: GEMINI[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL'),
      }
      if (retryAfterSeconds === undefined) return { error: body }
      const retry = {
        '@type': 'type.googleapis.com/google.rpc.RetryInfo',
        retryDelay: `${retryAfterSeconds}s`,
      }
      return { error: { ...body, details: [retry] } }
    }
  }
}

/** @returns the failure of a prompt that does not fit, in the words each provider uses for it */
export function contextExceeded(
  dialect: Dialect,
  inputTokens: number,
  contextTokensMax: number,
): SimulatedError {
  switch (dialect) {
    case 'openai':
      return new SimulatedError(
        400,
        `This model's maximum context length is ${contextTokensMax} tokens. However, your messages resulted in ${inputTokens} tokens. Please reduce the length of the messages.`,
        'context_length_exceeded',
        'messages',
      )
    case 'anthropic':
      return new SimulatedError(
        400,
        `prompt is too long: ${inputTokens} tokens > ${contextTokensMax} maximum`,
      )
    case 'gemini':
      return new SimulatedError(
        400,
        `The input token count (${inputTokens}) exceeds the maximum number of tokens allowed (${contextTokensMax}).`,
      )
  }
}
