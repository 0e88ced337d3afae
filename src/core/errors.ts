/** How one kind of error is answered, retried and logged. */
export interface ErrorSpec {
  /** HTTP status of the reply. */
  readonly status: number
  /** OpenAI's `error.type`; the other formats map it in `http/error-reply.ts`. */
  readonly type: string
  /** Whether the same call may succeed later without a change by its caller. */
  readonly retryable: boolean
  readonly log: 'debug' | 'info' | 'warn' | 'error'
  /** One sentence for `docs/errors.md`: when a caller sees this. */
  readonly meaning: string
}

/** The closed catalogue: every error that a caller can see from us, by its public code. */
export const ERRORS = {
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The request cannot be understood; `param` names the field.',
  },
  unsupported_feature: {
    status: 400,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning:
      'The provider behind this model cannot do what was asked, and leaving it out would change the answer.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    retryable: false,
    log: 'info',
    meaning: 'No key was sent, or the key is unknown.',
  },
  key_expired: {
    status: 401,
    type: 'authentication_error',
    retryable: false,
    log: 'info',
    meaning: 'The key was right once; its expiry date has passed.',
  },
  key_revoked: {
    status: 401,
    type: 'authentication_error',
    retryable: false,
    log: 'info',
    meaning: 'The key was right once; it has been revoked.',
  },
  model_not_allowed: {
    status: 403,
    type: 'permission_error',
    retryable: false,
    log: 'info',
    meaning: 'This key may not use this model.',
  },
  ip_not_allowed: {
    status: 403,
    type: 'permission_error',
    retryable: false,
    log: 'info',
    meaning: 'This key may not be used from this address.',
  },
  insufficient_role: {
    status: 403,
    type: 'permission_error',
    retryable: false,
    log: 'info',
    meaning: 'The caller is known but may not do this.',
  },
  not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    log: 'info',
    meaning: 'There is no such route or resource.',
  },
  model_not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    log: 'info',
    meaning: 'No route or provider serves this model; the message names the nearest ones.',
  },
  method_not_allowed: {
    status: 405,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The route exists, but not for this method; `allow` names those it has.',
  },
  conflict: {
    status: 409,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The change contradicts what is stored, for example a name that is taken.',
  },
  request_too_large: {
    status: 413,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The body is larger than `server.bodyBytesMax`.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The request headers are larger than 16 KiB.',
  },
  context_length_exceeded: {
    status: 400,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The prompt is longer than the model can read.',
  },
  upstream_rejected: {
    status: 400,
    type: 'invalid_request_error',
    retryable: false,
    log: 'info',
    meaning: 'The provider refused the request as it is; the message is its own.',
  },
  requests_per_minute_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    log: 'info',
    meaning: 'More calls in a minute than a limit allows; `retry-after` says when the next window opens.',
  },
  tokens_per_minute_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    log: 'info',
    meaning: 'More tokens in a minute than a limit allows.',
  },
  tokens_per_hour_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    log: 'info',
    meaning: 'More tokens in an hour than a limit allows.',
  },
  cost_per_day_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    log: 'info',
    meaning: 'More was spent in a day than a limit allows.',
  },
  concurrency_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    log: 'info',
    meaning: 'More calls at once than a limit allows; one may begin when another ends.',
  },
  budget_exhausted: {
    status: 429,
    type: 'insufficient_quota',
    retryable: false,
    log: 'info',
    meaning: 'A budget that covers the call is spent, or what is left of it is held by calls under way.',
  },
  upstream_rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    log: 'warn',
    meaning: 'The provider is limiting us; `retry-after` says for how long where it told us.',
  },
  upstream_error: {
    status: 502,
    type: 'upstream_error',
    retryable: true,
    log: 'warn',
    meaning: 'The provider failed or answered something unusable.',
  },
  upstream_timeout: {
    status: 504,
    type: 'upstream_error',
    retryable: true,
    log: 'warn',
    meaning: 'The provider did not answer within the configured time.',
  },
  all_targets_failed: {
    status: 503,
    type: 'upstream_error',
    retryable: true,
    log: 'warn',
    meaning: 'Every target of the route failed; the attempts are listed.',
  },
  overloaded: {
    status: 503,
    type: 'overloaded_error',
    retryable: true,
    log: 'warn',
    meaning: 'The gateway is draining or has more work than it can take.',
  },
  storage_unavailable: {
    status: 503,
    type: 'overloaded_error',
    retryable: true,
    log: 'error',
    meaning: 'A store of ours is away and this call needs it.',
  },
  client_closed: {
    status: 499,
    type: 'invalid_request_error',
    retryable: false,
    log: 'debug',
    meaning:
      'The client left before the answer was complete. Seen in the books only: nobody is there to read it.',
  },
  internal_error: {
    status: 500,
    type: 'internal_error',
    retryable: true,
    log: 'error',
    meaning: 'A defect of ours; the request id finds it in the logs.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS

export interface GatewayErrorOptions {
  /** What the caller reads: one clear sentence, no secret, no internals. */
  message: string
  /** The field of the request at fault, as its author would write it (`messages[2].content`). */
  param?: string | undefined
  /** What only our logs hold. */
  detail?: Record<string, unknown>
  /** Whole seconds after which a retry may help; becomes `retry-after`. */
  retryAfterSeconds?: number | undefined
  cause?: unknown
}

/** Everything that we expect to go wrong. Anything else that is thrown is a defect. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ErrorCode
  readonly param: string | undefined
  readonly detail: Record<string, unknown> | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, options: GatewayErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.param = options.param
    this.detail = options.detail
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  get spec(): ErrorSpec {
    return ERRORS[this.code]
  }
}

/**
 * @returns the error itself where it is one of ours, else an `internal_error` that hides it from the caller
 *   and keeps it as `cause`
 */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  return new GatewayError('internal_error', {
    message: 'The gateway failed unexpectedly. The request id finds the reason in its logs.',
    cause: error,
  })
}
