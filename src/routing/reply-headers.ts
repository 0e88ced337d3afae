// Headers of a provider that mean something to its official clients. Everything else stays here: cookies, the
// account's name, the server's make.
const PASSED = [
  'content-type',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'openai-processing-ms',
  'openai-version',
  'openai-model',
]
const PASSED_PREFIX = 'anthropic-ratelimit-'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** @returns what the caller may see of a provider's headers */
export function passedHeaders(headers: Headers): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const name of PASSED) {
    const value = headers[name]
    if (typeof value === 'string') passed[name] = value
  }
  for (const name in headers) {
    const value = headers[name]
    if (name.startsWith(PASSED_PREFIX) && typeof value === 'string') passed[name] = value
  }
  return passed
}

/** @returns the provider's own id of the call */
export function upstreamRequestIdOf(headers: Headers): string | undefined {
  const value = headers['x-request-id'] ?? headers['request-id'] ?? headers['apim-request-id']
  return typeof value === 'string' ? value : undefined
}
