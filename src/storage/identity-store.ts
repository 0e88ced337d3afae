import type { Page, PageRequest } from '../contract/page.ts'
import { GatewayError } from '../core/errors.ts'
import type { ApiKey, IdentityStore, Organization, Team } from '../identity/ports.ts'
import type { Database, Queryable } from './database.ts'
import { fromKeyRecord, KEY_COLUMNS, type KeyRecord } from './key-record.ts'
import { type KeyHandlers, watchKeys } from './key-watcher.ts'
import { decodeCursor, toPage, toPageLimit } from './page-cursor.ts'
import { sqlState, UNIQUE_VIOLATION, violatedConstraint } from './storage-error.ts'

interface OrganizationRecord {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly created_at: Date
}

interface TeamRecord {
  readonly id: string
  readonly organization_id: string
  readonly name: string
  readonly created_at: Date
}

const ORGANIZATION_COLUMNS = 'id, name, slug, created_at'
const TEAM_COLUMNS = 'id, organization_id, name, created_at'
const KEYS_PAGE_ROWS = 5000

/** Gives a new organization what it starts with, in the transaction that makes it. */
export type BeginOrganization = (
  transaction: Queryable,
  organizationId: string,
  isLimited: boolean,
) => Promise<void>

/**
 * Organizations, teams and keys in SQL. Deleted organizations and teams keep their rows, for the statements of past
 * months; nothing here returns them. Every change of a key is announced by a trigger, in its own transaction.
 */
export function createIdentityStore(database: Database, begin?: BeginOrganization): IdentityStore {
  return {
    async createOrganization({ id, name, slug, isLimited = true }) {
      return named(
        database.transaction(async (transaction) => {
          const { rows } = await transaction.query<OrganizationRecord>(
            `INSERT INTO organizations (id, name, slug) VALUES ($1, $2, $3) RETURNING ${ORGANIZATION_COLUMNS}`,
            [id, name, slug],
          )
          await begin?.(transaction, id, isLimited)
          return fromOrganization(only(rows))
        }),
      )
    },

    async findOrganization(idOrSlug) {
      const { rows } = await database.query<OrganizationRecord>(
        `SELECT ${ORGANIZATION_COLUMNS} FROM organizations
         WHERE (id = $1 OR slug = $1) AND deleted_at IS NULL ORDER BY id = $1 DESC LIMIT 1`,
        [idOrSlug],
      )
      return rows[0] === undefined ? undefined : fromOrganization(rows[0])
    },

    async listOrganizations(page) {
      return list<OrganizationRecord, Organization>(database, page, {
        select: `SELECT ${ORGANIZATION_COLUMNS} FROM organizations WHERE deleted_at IS NULL`,
        parameters: [],
        from: fromOrganization,
      })
    },

    async updateOrganization(id, { name, slug }) {
      const { rows } = await named(
        database.query<OrganizationRecord>(
          `UPDATE organizations SET name = coalesce($2, name), slug = coalesce($3, slug)
           WHERE id = $1 AND deleted_at IS NULL RETURNING ${ORGANIZATION_COLUMNS}`,
          [id, name ?? null, slug ?? null],
        ),
      )
      return rows[0] === undefined ? undefined : fromOrganization(rows[0])
    },

    async deleteOrganization(id) {
      return database.transaction(async (transaction) => {
        const { count } = await transaction.query(
          'UPDATE organizations SET deleted_at = clock_timestamp() WHERE id = $1 AND deleted_at IS NULL',
          [id],
        )
        if (count === 0) return false
        await transaction.query(
          'UPDATE teams SET deleted_at = clock_timestamp() WHERE organization_id = $1 AND deleted_at IS NULL',
          [id],
        )
        await transaction.query(
          `UPDATE api_keys SET revoked_at = least(revoked_at, clock_timestamp())
           WHERE organization_id = $1 AND (revoked_at IS NULL OR revoked_at > clock_timestamp())`,
          [id],
        )
        return true
      })
    },

    async createTeam({ id, organizationId, name }) {
      const { rows } = await named(
        database.query<TeamRecord>(
          `INSERT INTO teams (id, organization_id, name)
           SELECT $1, id, $3 FROM organizations WHERE id = $2 AND deleted_at IS NULL RETURNING ${TEAM_COLUMNS}`,
          [id, organizationId, name],
        ),
      )
      return fromTeam(rows[0] ?? missing('organization', organizationId))
    },

    async findTeam(organizationId, id) {
      const { rows } = await database.query<TeamRecord>(
        `SELECT ${TEAM_COLUMNS} FROM teams WHERE ($1::text IS NULL OR organization_id = $1) AND id = $2 AND deleted_at IS NULL`,
        [organizationId ?? null, id],
      )
      return rows[0] === undefined ? undefined : fromTeam(rows[0])
    },

    async listTeams(organizationId, page) {
      return list<TeamRecord, Team>(database, page, {
        select: `SELECT ${TEAM_COLUMNS} FROM teams WHERE organization_id = $1 AND deleted_at IS NULL`,
        parameters: [organizationId],
        from: fromTeam,
      })
    },

    async updateTeam(organizationId, id, { name }) {
      const { rows } = await named(
        database.query<TeamRecord>(
          `UPDATE teams SET name = coalesce($3, name)
           WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING ${TEAM_COLUMNS}`,
          [organizationId, id, name ?? null],
        ),
      )
      return rows[0] === undefined ? undefined : fromTeam(rows[0])
    },

    async deleteTeam(organizationId, id) {
      return database.transaction(async (transaction) => {
        const { count } = await transaction.query(
          `UPDATE teams SET deleted_at = clock_timestamp()
           WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL`,
          [organizationId, id],
        )
        // Its keys go on under the organization alone: deleting a team is no revocation.
        if (count > 0) await transaction.query('UPDATE api_keys SET team_id = NULL WHERE team_id = $1', [id])
        return count > 0
      })
    },

    async createKey(row) {
      const { rows } = await named(
        database.query<KeyRecord>(
          `INSERT INTO api_keys (id, organization_id, team_id, name, hash, prefix, user_id, models, scopes, ip_allow,
             expires_at)
           SELECT $1, id, $3, $4, $5, $6, $7, $8::text[], $9::text[], $10::text[], $11::timestamptz
           FROM organizations WHERE id = $2 AND deleted_at IS NULL
             AND ($3::text IS NULL
               OR EXISTS (SELECT FROM teams WHERE organization_id = $2 AND id = $3 AND deleted_at IS NULL))
           RETURNING ${KEY_COLUMNS}`,
          [
            row.id,
            row.organizationId,
            row.teamId,
            row.name,
            row.hash,
            row.prefix,
            row.user,
            row.models,
            row.scopes,
            row.ipAllow,
            row.expiresAt,
          ],
        ),
      )
      return fromKeyRecord(
        rows[0] ?? missing(row.teamId === null ? 'organization' : 'team', row.teamId ?? row.organizationId),
      )
    },

    async findKey(id) {
      const { rows } = await database.query<KeyRecord>(`SELECT ${KEY_COLUMNS} FROM api_keys WHERE id = $1`, [
        id,
      ])
      return rows[0] === undefined ? undefined : fromKeyRecord(rows[0])
    },

    async listKeys(organizationId, page) {
      return list<KeyRecord, ApiKey>(database, page, {
        select: `SELECT ${KEY_COLUMNS} FROM api_keys WHERE organization_id = $1`,
        parameters: [organizationId],
        from: fromKeyRecord,
      })
    },

    async revokeKey(id, at) {
      const { rows } = await database.query<KeyRecord>(
        `UPDATE api_keys SET revoked_at = least(revoked_at, $2::timestamptz) WHERE id = $1 RETURNING ${KEY_COLUMNS}`,
        [id, at],
      )
      return rows[0] === undefined ? undefined : fromKeyRecord(rows[0])
    },

    async loadKeys(onPage) {
      for (let after = ''; ; ) {
        const { rows } = await database.query<KeyRecord>(
          `SELECT ${KEY_COLUMNS} FROM api_keys
           WHERE id > $1 AND (revoked_at IS NULL OR revoked_at > clock_timestamp() - interval '1 day')
           ORDER BY id LIMIT $2`,
          [after, KEYS_PAGE_ROWS],
        )
        if (rows.length > 0) onPage(rows.map(fromKeyRecord))
        const last = rows.at(-1)
        if (last === undefined || rows.length < KEYS_PAGE_ROWS) return
        after = last.id
      }
    },

    watchKeys: (handlers: KeyHandlers) => watchKeys(database, handlers),

    async getSetting(name) {
      const { rows } = await database.query<{ value: unknown }>(
        'SELECT value FROM settings WHERE name = $1',
        [name],
      )
      return rows[0]?.value
    },

    async putSetting(name, value) {
      await database.query(
        `INSERT INTO settings (name, value) VALUES ($1, $2::jsonb)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()`,
        [name, JSON.stringify(value)],
      )
    },
  }
}

interface ListQuery<RowRecord, Row> {
  /** Up to its conditions; rows have `created_at` and `id`. */
  readonly select: string
  readonly parameters: readonly unknown[]
  readonly from: (record: RowRecord) => Row
}

/** Oldest first: a page keeps its place while new rows come. */
async function list<RowRecord extends { readonly id: string; readonly created_at: Date }, Row>(
  database: Queryable,
  page: PageRequest,
  query: ListQuery<RowRecord, Row>,
): Promise<Page<Row>> {
  const limit = toPageLimit(page.limit)
  const after = decodeCursor(page.cursor)
  const parameters = [...query.parameters]
  const parameter = (value: unknown) => `$${parameters.push(value)}`
  const beyond =
    after === undefined
      ? ''
      : ` AND (created_at, id) > (${parameter(after.at)}::timestamptz, ${parameter(after.id)}::text)`
  const { rows } = await database.query<RowRecord>(
    `${query.select}${beyond} ORDER BY created_at, id LIMIT ${parameter(limit + 1)}`,
    parameters,
  )
  const { data, nextCursor } = toPage(rows, limit, (row) => ({ at: row.created_at, id: row.id }))
  return { data: data.map(query.from), nextCursor }
}

/** Gives violations the names that callers know. */
async function named<Result>(writing: Promise<Result>): Promise<Result> {
  try {
    return await writing
  } catch (error) {
    if (sqlState(error) === UNIQUE_VIOLATION) throw taken(violatedConstraint(error), error)
    throw error
  }
}

function taken(constraint: string | undefined, cause: unknown): GatewayError {
  const what =
    constraint === 'organizations_slug'
      ? 'slug'
      : constraint === 'teams_name'
        ? 'name'
        : constraint === 'api_keys_hash'
          ? 'key'
          : 'id'
  return new GatewayError('conflict', { message: `This ${what} is taken.`, param: what, cause })
}

function missing(what: string, id: string): never {
  throw new GatewayError('not_found', { message: `There is no ${what} ${id}.` })
}

function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('An INSERT returned no row.')
  return row
}

function fromOrganization(record: OrganizationRecord): Organization {
  return { id: record.id, name: record.name, slug: record.slug, createdAt: record.created_at }
}

function fromTeam(record: TeamRecord): Team {
  return {
    id: record.id,
    organizationId: record.organization_id,
    name: record.name,
    createdAt: record.created_at,
  }
}
