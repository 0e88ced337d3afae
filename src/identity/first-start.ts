import { GatewayError } from '../core/errors.ts'
import type { Organizations } from './organizations.ts'
import type { IdentityStore } from './ports.ts'

export const DEFAULT_SLUG = 'default'

/**
 * Where nothing is there yet: the organization `default` with one key, so that a first call can be made at once.
 *
 * @returns the key, to be shown once; `undefined` where there are organizations already
 */
export async function prepareFirstStart(
  store: IdentityStore,
  organizations: Organizations,
): Promise<string | undefined> {
  const { data } = await store.listOrganizations({ limit: 1 })
  if (data.length > 0) return undefined
  try {
    // Whoever tries us out is not to run into a limit that nobody set.
    const { id } = await organizations.create({ name: 'default', slug: DEFAULT_SLUG, isLimited: false })
    return (await organizations.issueKey(id, { name: 'first key' })).key
  } catch (error) {
    // Another replica started at the same moment and was faster.
    if (error instanceof GatewayError && error.code === 'conflict') return undefined
    throw error
  }
}
