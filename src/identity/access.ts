import { GatewayError } from '../core/errors.ts'

/** @returns whether a list of allowed names, with `*` for any rest, has this one; `null` allows all */
export function isModelAllowed(allowed: readonly string[] | null, name: string): boolean {
  if (allowed === null) return true
  for (const entry of allowed) {
    if (entry === name) return true
    if (entry.endsWith('*') && name.startsWith(entry.slice(0, -1))) return true
  }
  return false
}

/** @throws GatewayError `model_not_allowed` unless the caller may use the model by one of its names */
export function requireModel(allowed: readonly string[] | null, names: readonly string[]): void {
  if (allowed === null || names.some((name) => isModelAllowed(allowed, name))) return
  throw new GatewayError('model_not_allowed', {
    message: `This key may not use the model \`${names[0] ?? ''}\`.`,
    param: 'model',
  })
}
