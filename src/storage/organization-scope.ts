import type { Queryable } from './database.ts'

/** The role that reads for one organization. It owns nothing and may only read tables under row-level security. */
export const TENANT_ROLE = 'gatehouse_tenant'
/** The setting that the policies compare with; see `migrations/0001-books.up.sql`. */
const ORGANIZATION_SETTING = 'gatehouse.organization_id'

type Transaction = <Result>(work: (transaction: Queryable) => Promise<Result>) => Promise<Result>

/**
 * @returns `asOrganization` of a database. Where the role could not be made (a hosted database whose user may not
 *   create roles), the policies bind our own user too: they are forced
 */
export function createOrganizationScope(transaction: Transaction) {
  let roleUsable: Promise<boolean> | undefined
  const probe = (): Promise<boolean> =>
    transaction(async (session) => {
      await session.query(`SET LOCAL ROLE ${TENANT_ROLE}`)
      return true
    }).catch((error: unknown) => {
      const code = (error as { code?: unknown }).code
      // 22023: no such role; 42501: not a member of it. Anything else says nothing about the role: ask again.
      if (code === '22023' || code === '42501') return false
      roleUsable = undefined
      throw error
    })

  return async <Result>(
    organizationId: string,
    work: (session: Queryable) => Promise<Result>,
  ): Promise<Result> => {
    roleUsable ??= probe()
    const useRole = await roleUsable
    return transaction(async (session) => {
      await session.query('SET TRANSACTION READ ONLY')
      await session.query('SELECT set_config($1, $2, true)', [ORGANIZATION_SETTING, organizationId])
      if (useRole) await session.query(`SET LOCAL ROLE ${TENANT_ROLE}`)
      return work(session)
    })
  }
}
