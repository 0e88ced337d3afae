/** Where secrets of one kind of reference come from: `${scheme:reference}`. */
export interface SecretResolver {
  readonly scheme: string
  /**
   * @returns the secret
   * @throws SecretError with a sentence for the operator
   */
  resolve(reference: string, signal: AbortSignal): Promise<string>
}

/** A secret cannot be had. The message is for the operator and never holds the secret or what opens the store. */
export class SecretError extends Error {
  override readonly name = 'SecretError'
}

/** What resolvers need of the world. */
export interface SecretWorld {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch: typeof globalThis.fetch
  readonly readFile: (path: string) => Promise<string>
  /** Milliseconds since 1970, for signatures. */
  readonly now: () => number
}

/** @returns the message of a `SecretError`; of anything else only its kind, because it may quote the request */
export function secretErrorMessage(error: unknown): string {
  if (error instanceof SecretError) return error.message
  return `failed unexpectedly (${error instanceof Error ? error.name : typeof error})`
}

/** @returns the reference without what follows its last `#`, and that: `app/keys#openai` */
export function splitField(reference: string): { name: string; field: string | undefined } {
  const hash = reference.lastIndexOf('#')
  if (hash < 0) return { name: reference, field: undefined }
  return { name: reference.slice(0, hash), field: reference.slice(hash + 1) }
}

/**
 * @returns one field of a stored map; without `field` the one called `value`, or the only one
 * @throws SecretError naming the fields there are, never their values
 */
export function pickField(fields: unknown, field: string | undefined, where: string): string {
  if (typeof fields !== 'object' || fields === null) throw new SecretError(`${where} holds no fields`)
  const names = Object.keys(fields)
  const name = field ?? (names.includes('value') ? 'value' : names.length === 1 ? names[0] : undefined)
  if (name === undefined) {
    throw new SecretError(`${where} has several fields; add #name, one of: ${names.join(', ')}`)
  }
  const value: unknown = Object.hasOwn(fields, name) ? Reflect.get(fields, name) : undefined
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number') return String(value)
  throw new SecretError(`${where} has no text in \`${name}\`; it has: ${names.join(', ')}`)
}

/**
 * @returns the value of an environment variable
 * @throws SecretError where it is unset or empty
 */
export function requireEnv(env: SecretWorld['env'], name: string): string {
  const value = env[name]
  if (value === undefined || value === '')
    throw new SecretError(`the environment variable ${name} is not set`)
  return value
}
