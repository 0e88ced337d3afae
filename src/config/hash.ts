import { createHash } from 'node:crypto'
import { Secret } from '../core/secret.ts'
import { isMap } from './tree.ts'

/**
 * @returns JSON that is equal for equal values: keys in order, what is `undefined` left out
 * @param secrets `hide` writes each as `[secret]`; `reveal` is for comparing two in memory and is never shown
 */
export function toCanonicalJson(value: unknown, secrets: 'hide' | 'reveal'): string {
  return JSON.stringify(inOrder(value, secrets)) ?? 'null'
}

function inOrder(value: unknown, secrets: 'hide' | 'reveal'): unknown {
  if (value instanceof Secret) return secrets === 'reveal' ? value.reveal() : value.toJSON()
  if (Array.isArray(value)) return value.map((item) => inOrder(item, secrets))
  if (!isMap(value)) return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, inOrder(value[name], secrets)]))
}

/** @returns SHA-256 in hex of the configuration without its secrets: the same on every replica, safe to log */
export function hashConfig(config: unknown): string {
  return createHash('sha256').update(toCanonicalJson(config, 'hide')).digest('hex')
}
