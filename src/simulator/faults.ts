import { isObject } from './json.ts'

/**
 * Every setting, by the name it has in `x-sim` and in `POST /sim/control`, with what its number means.
 * `flag` settings are on for any value but 0.
 */
const SETTINGS = {
  latency: 'milliseconds',
  jitter: 'milliseconds',
  ttft: 'milliseconds',
  tps: 'tokens per second',
  status: 'HTTP status',
  'retry-after': 'seconds',
  code: 'text',
  fail: 'probability',
  cut: 'events',
  stall: 'events',
  end: 'events',
  'error-event': 'events',
  malformed: 'flag',
  'no-usage': 'flag',
  reset: 'flag',
  hang: 'flag',
  empty: 'flag',
  'error-body': 'flag',
  'content-type': 'text',
  drip: 'bytes',
  big: 'bytes',
  cached: 'tokens',
  'cache-write': 'tokens',
  context: 'tokens',
} as const

const COUNTS: ReadonlySet<string> = new Set(['events', 'bytes', 'tokens', 'flag', 'HTTP status'])

type SettingName = keyof typeof SETTINGS

/** Upper bounds, so that a typing error does not fill the memory. */
const BIG_BYTES_MAX = 256 * 1024 * 1024
const NUMBER_MAX = 3_600_000

/** What is done to one call. A missing setting does nothing. */
export interface Faults {
  /** Wait before the headers. */
  readonly latency?: number
  /** Random addition to `latency`, up to this. */
  readonly jitter?: number
  /** Wait between the headers and the first event; added to `latency` where the reply is no stream. */
  readonly ttft?: number
  /** Speed of the output. */
  readonly tps?: number
  /** Answer this error. */
  readonly status?: number
  readonly 'retry-after'?: number
  /** OpenAI's `error.code` of that error. */
  readonly code?: string
  /** Probability of a 500. */
  readonly fail?: number
  /** Close the connection after so many events; in the middle of the body where there are none. */
  readonly cut?: number
  /** Fall silent after so many events, until the client leaves. */
  readonly stall?: number
  /** End cleanly after so many events, as if that were all. */
  readonly end?: number
  /** Break with an error event of the format after so many events. */
  readonly 'error-event'?: number
  readonly malformed?: number
  readonly 'no-usage'?: number
  /** Reset the connection before the headers. */
  readonly reset?: number
  /** Never answer. */
  readonly hang?: number
  /** 200 without a body. */
  readonly empty?: number
  /** 200 with the body of an error. */
  readonly 'error-body'?: number
  readonly 'content-type'?: string
  /** Send the body in pieces of so many bytes. */
  readonly drip?: number
  /** Answer with a text of so many bytes. */
  readonly big?: number
  /** Tokens of the prompt reported as read from the provider's cache. */
  readonly cached?: number
  /** Tokens of the prompt reported as written to the provider's cache. */
  readonly 'cache-write'?: number
  /** Refuse prompts of more tokens than this. */
  readonly context?: number
}

export const NO_FAULTS: Faults = {}

/** A setting that is not one of ours, or a value that means nothing. */
export class FaultSyntaxError extends Error {
  override readonly name = 'FaultSyntaxError'
}

/**
 * @param header `latency=200,fail=0.1,malformed`; a name alone means 1
 * @throws FaultSyntaxError for an unknown name or value: a fault that silently does nothing proves nothing
 */
export function parseFaultHeader(header: string): Faults {
  const faults: Record<string, number | string> = {}
  for (const item of header.split(',')) {
    const equals = item.indexOf('=')
    const name = (equals < 0 ? item : item.slice(0, equals)).trim()
    if (name === '') continue
    faults[name] = toValue(name, equals < 0 ? '1' : item.slice(equals + 1).trim())
  }
  return faults as Faults
}

/** Settings for every call that matches, until they are replaced or used up. */
export interface FaultRule {
  readonly faults: Faults
  /** The model as it was asked for. */
  readonly model: string | undefined
  /** Beginning of the path. */
  readonly path: string | undefined
  /** Calls left. */
  times: number
}

/** @throws FaultSyntaxError */
export function parseFaultRule(body: unknown): FaultRule {
  if (!isObject(body)) throw new FaultSyntaxError('A rule is a JSON object of settings.')
  const faults: Record<string, number | string> = {}
  const { match, times, ...settings } = body
  for (const [name, value] of Object.entries(settings)) faults[name] = toValue(name, value)
  if (match !== undefined && !isObject(match)) {
    throw new FaultSyntaxError('"match" is an object with "model", "path" or both.')
  }
  if (times !== undefined && (typeof times !== 'number' || !Number.isInteger(times) || times < 1)) {
    throw new FaultSyntaxError('"times" is a whole number from 1.')
  }
  return {
    faults: faults as Faults,
    model: typeof match?.model === 'string' ? match.model : undefined,
    path: typeof match?.path === 'string' ? match.path : undefined,
    times: times ?? Number.POSITIVE_INFINITY,
  }
}

/** Rules in the order they are tried; the first that matches applies. */
export class FaultRules {
  private rules: FaultRule[] = []

  replace(rules: readonly FaultRule[]): void {
    this.rules = rules.filter((rule) => Object.keys(rule.faults).length > 0)
  }

  list(): readonly FaultRule[] {
    return this.rules
  }

  /** @returns the settings of the first rule that matches, which is then used once */
  take(model: string, path: string): Faults {
    if (this.rules.length === 0) return NO_FAULTS
    const rule = this.rules.find(
      (candidate) =>
        (candidate.model === undefined || candidate.model === model) &&
        (candidate.path === undefined || path.startsWith(candidate.path)),
    )
    if (rule === undefined) return NO_FAULTS
    rule.times--
    if (rule.times <= 0) this.rules = this.rules.filter((other) => other !== rule)
    return rule.faults
  }
}

function toValue(name: string, raw: unknown): number | string {
  if (!(name in SETTINGS)) {
    throw new FaultSyntaxError(
      `The simulator has no setting "${name}". It has ${Object.keys(SETTINGS).join(', ')}.`,
    )
  }
  const kind = SETTINGS[name as SettingName]
  if (kind === 'text') {
    if (typeof raw !== 'string' || raw === '' || /[\r\n]/.test(raw)) {
      throw new FaultSyntaxError(`"${name}" is a text.`)
    }
    return raw
  }
  const value =
    typeof raw === 'boolean' ? Number(raw) : typeof raw === 'string' && raw !== '' ? Number(raw) : raw
  const most = name === 'big' ? BIG_BYTES_MAX : kind === 'probability' ? 1 : NUMBER_MAX
  if (typeof value !== 'number' || !(value >= 0) || value > most) {
    throw new FaultSyntaxError(`"${name}" is a number (${kind}) from 0 to ${most}.`)
  }
  if (COUNTS.has(kind) && !Number.isInteger(value)) throw new FaultSyntaxError(`"${name}" is a whole number.`)
  if (kind === 'HTTP status' && !(value >= 200 && value <= 599)) {
    throw new FaultSyntaxError(`"${name}" is an HTTP status from 200 to 599.`)
  }
  return value
}
