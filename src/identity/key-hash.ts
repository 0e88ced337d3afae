import { hash } from 'node:crypto'

/**
 * @returns SHA-256 of a key as base64url. Keys are 32 random bytes, so a fast hash is as good as a slow one:
 *   there is nothing to guess.
 */
export function hashKey(key: string): string {
  return hash('sha256', key, 'base64url')
}
