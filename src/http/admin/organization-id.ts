import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'

/**
 * @param idOrSlug as a caller named it; `undefined` = all organizations
 * @throws GatewayError `not_found`
 */
export async function organizationIdOf(
  gateway: Gateway,
  idOrSlug: string | undefined,
): Promise<string | undefined> {
  if (idOrSlug === undefined) return undefined
  const found = await gateway.identityStore.findOrganization(idOrSlug)
  if (found === undefined) {
    throw new GatewayError('not_found', {
      message: `There is no organization \`${idOrSlug}\`.`,
      param: 'organizationId',
    })
  }
  return found.id
}
