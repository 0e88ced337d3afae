import { beforeAll, describe, expect, it } from 'vitest'
import type { Database, Queryable } from '../database.ts'
import { createIdentityStore } from '../identity-store.ts'
import { ledgerRow } from '../ledger-row-fixture.ts'
import { createLedgerStore } from '../ledger-store.ts'
import { TENANT_ROLE } from '../organization-scope.ts'

const A = 'scope-a'
const B = 'scope-b'
/** Every table with rows of tenants, and how to recognise theirs. */
const TENANT_TABLES = [
  ['organizations', 'id'],
  ['teams', 'organization_id'],
  ['users', 'organization_id'],
  ['api_keys', 'organization_id'],
  ['ledger', 'organization_id'],
  ['usage_hourly', 'organization_id'],
  ['usage_daily', 'organization_id'],
  ['ai_usage_metrics', 'organization_id'],
  ['ai_usage_daily', 'organization_id'],
] as const

export function testOrganizationScope(database: () => Database): void {
  describe('asOrganization()', () => {
    beforeAll(async () => {
      const identity = createIdentityStore(database())
      const ledger = createLedgerStore(database())
      for (const organizationId of [A, B]) {
        await identity.createOrganization({ id: organizationId, name: organizationId, slug: organizationId })
        await identity.createTeam({ id: `${organizationId}-team`, organizationId, name: 'Team' })
        await identity.createKey({
          id: `${organizationId}-key`,
          organizationId,
          teamId: null,
          name: 'Key',
          hash: `${organizationId}-hash`,
          prefix: 'gh-…',
          user: null,
          models: null,
          scopes: [],
          ipAllow: null,
          expiresAt: null,
        })
        await ledger.write([ledgerRow({ id: `${organizationId}-row`, organizationId, userId: 'u' })])
      }
    })

    const organizationsIn = async (queryable: Queryable, table: string, column: string) => {
      const { rows } = await queryable.query<{ id: string }>(
        `SELECT DISTINCT ${column} AS id FROM ${table} WHERE ${column} LIKE 'scope-%' ORDER BY 1`,
      )
      return rows.map(({ id }) => id)
    }

    it.each(TENANT_TABLES)(
      'asOrganization() shows nothing of another organization in %s',
      async (table, column) => {
        expect(await organizationsIn(database(), table, column)).toEqual([A, B])
        const seen = await database().asOrganization(A, (transaction) =>
          organizationsIn(transaction, table, column),
        )
        expect(seen).toEqual([A])
      },
    )

    it('asOrganization() cannot write', async () => {
      const attempt = database().asOrganization(A, (transaction) =>
        transaction.query(`UPDATE organizations SET name = 'mine' WHERE id = '${A}'`),
      )
      await expect(attempt).rejects.toMatchObject({
        code: expect.stringMatching(/^(25006|42501)$|storage_unavailable/),
      })
    })

    it('asOrganization() shows no hash of a key', async () => {
      const attempt = database().asOrganization(A, (transaction) =>
        transaction.query('SELECT hash FROM api_keys'),
      )
      await expect(attempt).rejects.toMatchObject({ code: '42501' })
    })

    it('asOrganization() ends with its transaction', async () => {
      await database().asOrganization(A, (transaction) => transaction.query('SELECT 1'))
      expect(await organizationsIn(database(), 'organizations', 'id')).toEqual([A, B])
    })

    it('the tenant role without an organization sees nothing', async () => {
      const seen = await database().transaction(async (transaction) => {
        await transaction.query(`SET LOCAL ROLE ${TENANT_ROLE}`)
        return organizationsIn(transaction, 'ledger', 'organization_id')
      })
      expect(seen).toEqual([])
    })

    it('row-level security binds the owner of the tables too', async () => {
      const { rows } = await database().query<{ relname: string }>(
        `SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attname = 'organization_id'
           AND NOT relispartition AND NOT (relrowsecurity AND relforcerowsecurity)`,
      )
      expect(rows).toEqual([])
    })
  })
}
