import { GatewayError } from '../core/errors.ts'
import type { PolicyStore } from '../limits/ports.ts'
import type { Database, Queryable } from './database.ts'
import {
  type Budget,
  fromPolicyRecord,
  type Limits,
  POLICY_SELECT,
  type Policy,
  type PolicyColumns,
  type PolicyRecord,
  type Subject,
  toBudgetColumns,
  toLimitsColumns,
} from './policy-record.ts'
import { watchPolicies } from './policy-watcher.ts'
import { sqlState } from './storage-error.ts'

const PAGE_ROWS = 5000
const FOREIGN_KEY_VIOLATION = '23503'
const ORGANIZATION: Subject = { scope: 'organization', id: '' }
const ONE_SUBJECT =
  'WITH subjects AS (SELECT $1::text AS organization_id, $2::text AS scope, $3::text AS subject)'

/** Takes away what is set, as if it never had been. */
export interface PolicyRemoval {
  /**
   * @returns whether anything was set
   * @throws GatewayError `storage_unavailable`
   */
  remove(organizationId: string, subject: Subject, what: 'limits' | 'budget'): Promise<boolean>
}

/** Limits and budgets in SQL. Every change is announced by a trigger, in its own transaction. */
export function createPolicyStore(database: Database): PolicyStore & PolicyRemoval {
  return {
    async find(organizationId, subject) {
      return found(await readOne(database, organizationId, subject))
    },

    async list(organizationId) {
      const { rows } = await database.query<PolicyRecord>(
        `WITH subjects AS (
           SELECT organization_id, scope, subject FROM limits WHERE organization_id = $1
           UNION SELECT organization_id, scope, subject FROM budgets WHERE organization_id = $1
         )
         ${POLICY_SELECT} ORDER BY array_position('{organization,team,key,user,tag}', scope), subject`,
        [organizationId],
      )
      return rows.map(fromPolicyRecord)
    },

    putLimits: (organizationId, subject, change) =>
      database.transaction((transaction) => putLimits(transaction, organizationId, subject, change)),

    putBudget: (organizationId, subject, change) =>
      database.transaction((transaction) => putBudget(transaction, organizationId, subject, change)),

    async load(onPage) {
      // The first key of the next page is after that of the last row; nothing is named ''.
      for (let after: readonly [string, string, string] = ['', '', '']; ; ) {
        const next = (table: string) =>
          `(SELECT organization_id, scope, subject FROM ${table}
            WHERE (organization_id, scope, subject) > ($1::text, $2::text, $3::text)
            ORDER BY organization_id, scope, subject LIMIT $4)`
        const { rows } = await database.query<PolicyRecord>(
          `WITH subjects AS (
             ${next('limits')} UNION ${next('budgets')} ORDER BY organization_id, scope, subject LIMIT $4
           )
           ${POLICY_SELECT} ORDER BY organization_id, scope, subject`,
          [...after, PAGE_ROWS],
        )
        if (rows.length > 0) onPage(rows.map(fromPolicyRecord))
        const last = rows.at(-1)
        if (last === undefined || rows.length < PAGE_ROWS) return
        after = [last.organization_id, last.scope, last.subject]
      }
    },

    watch: (handlers) => watchPolicies(database, handlers),

    async remove(organizationId, { scope, id }, what) {
      const { count } = await database.query(
        `DELETE FROM ${what === 'limits' ? 'limits' : 'budgets'}
         WHERE organization_id = $1 AND scope = $2 AND subject = $3`,
        [organizationId, scope, id],
      )
      return count > 0
    },
  }
}

/** Sets limits and budget of an organization that is made in the same transaction. */
export async function beginPolicies(
  transaction: Queryable,
  organizationId: string,
  limits: Limits | undefined,
  budget: Budget,
): Promise<void> {
  if (limits !== undefined) await putLimits(transaction, organizationId, ORGANIZATION, limits)
  await putBudget(transaction, organizationId, ORGANIZATION, budget)
}

async function putLimits(
  transaction: Queryable,
  organizationId: string,
  subject: Subject,
  change: Partial<Limits>,
): Promise<Policy> {
  await upsert(transaction, 'limits', organizationId, subject, toLimitsColumns(change))
  return readOne(transaction, organizationId, subject)
}

async function putBudget(
  transaction: Queryable,
  organizationId: string,
  subject: Subject,
  change: Partial<Budget>,
): Promise<Policy> {
  await upsert(transaction, 'budgets', organizationId, subject, toBudgetColumns(change))
  return readOne(transaction, organizationId, subject)
}

/** What is not named keeps its value, at first the default of its column: no limits, and the usual budget. */
async function upsert(
  transaction: Queryable,
  table: 'limits' | 'budgets',
  organizationId: string,
  { scope, id }: Subject,
  changed: PolicyColumns,
): Promise<void> {
  const row = { organization_id: organizationId, scope, subject: id, ...changed }
  const columns = Object.keys(row)
  const places = columns.map((_, index) => `$${index + 1}`)
  // A change of nothing is one too: it says that something is set.
  const sets = ['scope', ...Object.keys(changed)].map((column) => `${column} = excluded.${column}`)
  try {
    await transaction.query(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places.join(', ')})
       ON CONFLICT (organization_id, scope, subject) DO UPDATE SET ${sets.join(', ')}`,
      Object.values(row),
    )
  } catch (error) {
    if (sqlState(error) !== FOREIGN_KEY_VIOLATION) throw error
    throw new GatewayError('not_found', {
      message: `There is no organization \`${organizationId}\`.`,
      cause: error,
    })
  }
}

async function readOne(
  queryable: Queryable,
  organizationId: string,
  { scope, id }: Subject,
): Promise<Policy> {
  const { rows } = await queryable.query<PolicyRecord>(`${ONE_SUBJECT} ${POLICY_SELECT}`, [
    organizationId,
    scope,
    id,
  ])
  const [row] = rows
  if (row === undefined) throw new Error('A subject has one row, whatever is set on it.')
  return fromPolicyRecord(row)
}

function found(policy: Policy): Policy | undefined {
  return policy.limits === undefined && policy.budget === undefined ? undefined : policy
}
