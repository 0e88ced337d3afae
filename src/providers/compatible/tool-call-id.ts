import { createHash } from 'node:crypto'
import type { CompatibleTraits } from './traits.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/**
 * @returns the id as the provider takes it: unchanged where it fits, else a digest of it, so that a call and its
 *   result get the same one in every turn
 */
export function toolCallId(id: string, traits: CompatibleTraits): string {
  const { toolCallIdLength: exact, toolCallIdLengthMax: longest } = traits
  if (exact !== undefined) {
    return id.length === exact && /^[A-Za-z0-9]+$/.test(id) ? id : digest(id, exact)
  }
  return longest === undefined || id.length <= longest ? id : digest(id, longest)
}

/** @returns letters and digits; SHA-256 has 32 bytes, so no more than 32 characters */
function digest(id: string, length: number): string {
  const hash = createHash('sha256').update(id).digest().subarray(0, length)
  return Array.from(hash, (byte) => ALPHABET[byte % ALPHABET.length]).join('')
}
