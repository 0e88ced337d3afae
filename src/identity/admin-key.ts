import { timingSafeEqual } from 'node:crypto'
import { newSecret } from '../core/ids.ts'
import { hashKey } from './key-hash.ts'
import type { IdentityStore } from './ports.ts'

const SETTING = 'admin_key_hash'

export interface AdminKey {
  /** Compares in constant time. */
  matches(credential: string | undefined): boolean
  /** The key itself, only where it was generated just now: to be shown once. */
  readonly generated: string | undefined
}

/**
 * The control API's root key: the configured one, else the one generated at the first start and stored hashed.
 *
 * @param configured from the environment, already checked for strength
 */
export async function openAdminKey(store: IdentityStore, configured: string | undefined): Promise<AdminKey> {
  if (configured !== undefined) return toAdminKey(hashKey(configured), undefined)
  const stored = await store.getSetting(SETTING)
  if (typeof stored === 'string') return toAdminKey(stored, undefined)
  const generated = newSecret('gha-')
  await store.putSetting(SETTING, hashKey(generated))
  return toAdminKey(hashKey(generated), generated)
}

function toAdminKey(hash: string, generated: string | undefined): AdminKey {
  const expected = Buffer.from(hash)
  return {
    generated,
    matches(credential) {
      if (credential === undefined) return false
      const actual = Buffer.from(hashKey(credential))
      return actual.length === expected.length && timingSafeEqual(actual, expected)
    },
  }
}
