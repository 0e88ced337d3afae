import { createHash } from 'node:crypto'
import { priceData } from '../../contract/price-data.ts'
import { GatewayError } from '../../core/errors.ts'
import { createModelData, type ModelData } from '../../core/model-data.ts'

/** Enough digits to name data among all that will ever be stored. */
const VERSION_DIGITS = 12

/**
 * @param json data as genai-prices publishes it
 * @param checksum names the data: its beginning stands in the versions of prices
 * @throws GatewayError `invalid_request`, naming the first place that is wrong
 */
export function parsePriceData(json: unknown, checksum: string): ModelData {
  const result = priceData.safeParse(json)
  if (!result.success) throw notPriceData(result.error.issues[0], json)
  return createModelData(checksum.slice(0, VERSION_DIGITS), result.data)
}

/** @returns SHA-256 in hexadecimal digits */
export function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly errors?: unknown
}

function notPriceData(issue: Issue | undefined, json: unknown): GatewayError {
  const deepest = issue === undefined ? undefined : innermost(issue)
  const place =
    deepest === undefined || deepest.path.length === 0 ? '' : ` at \`${nameOf(deepest.path, json)}\``
  return new GatewayError('invalid_request', {
    message: `This is no price data of genai-prices${place}: ${deepest?.message ?? 'unknown'}.`,
    param: 'data',
  })
}

/** A union says what each of its branches had to say; the one that came furthest was meant. */
function innermost(issue: Issue): Issue {
  if (!Array.isArray(issue.errors)) return issue
  let deepest = issue
  for (const branch of issue.errors as Issue[][]) {
    for (const inner of branch) {
      const found = innermost({ ...inner, path: [...issue.path, ...inner.path] })
      if (found.path.length > deepest.path.length) deepest = found
    }
  }
  return deepest
}

/** Long enough to be told from all others. */
const ID_LENGTH_MAX = 100

/** Providers and models by their ids, because nobody counts to the 700th. */
function nameOf(path: readonly PropertyKey[], json: unknown): string {
  let at: unknown = json
  return path
    .map((key) => {
      at = typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined
      const id = typeof at === 'object' && at !== null && 'id' in at ? at.id : undefined
      return typeof id === 'string' && id !== ''
        ? id.slice(0, ID_LENGTH_MAX)
        : String(key).slice(0, ID_LENGTH_MAX)
    })
    .join('.')
}
