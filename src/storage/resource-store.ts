import type { Resource, ResourceKind, ResourceStore } from '../resources/ports.ts'
import type { Database } from './database.ts'

interface ResourceRecord {
  readonly id: string
  readonly provider: string
  readonly kind: ResourceKind
  readonly organization_id: string
  readonly team_id: string | null
  readonly key_id: string | null
  readonly user_id: string | null
  readonly session_id: string | null
  readonly task: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly request_id: string
  readonly created_at: Date
  readonly settled_at: Date | null
  readonly held_nano_usd: number | bigint | string | null
  readonly look_at: Date | null
}

const COLUMNS =
  'id, provider, kind, organization_id, team_id, key_id, user_id, session_id, task, tags, request_id, created_at, settled_at, held_nano_usd, look_at'

/** Owners of files and batches in SQL. */
export function createResourceStore(database: Database): ResourceStore {
  return {
    async add(resource) {
      await database.query(
        `INSERT INTO provider_resources (${COLUMNS})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12::timestamptz, $13::timestamptz,
           $14::bigint, $15::timestamptz)
         ON CONFLICT (provider, kind, id) DO NOTHING`,
        [
          resource.id,
          resource.provider,
          resource.kind,
          resource.organizationId,
          resource.teamId,
          resource.keyId,
          storable(resource.userId),
          storable(resource.sessionId),
          storable(resource.task),
          JSON.stringify(storableTags(resource.tags)),
          resource.requestId,
          resource.createdAt,
          resource.settledAt,
          resource.heldNanoUsd,
          resource.lookAt,
        ],
      )
    },

    async find(organizationId, kind, id) {
      const { rows } = await database.query<ResourceRecord>(
        `SELECT ${COLUMNS} FROM provider_resources
         WHERE organization_id = $1 AND kind = $2 AND id = $3 ORDER BY created_at LIMIT 1`,
        [organizationId, kind, id],
      )
      return rows[0] === undefined ? undefined : fromRecord(rows[0])
    },

    async list({ organizationId, provider, kind, order, after, limit }) {
      const [beyond, direction] = order === 'asc' ? ['>', 'ASC'] : ['<', 'DESC']
      const parameters: unknown[] = [organizationId, provider, kind, limit]
      let condition = ''
      if (after !== undefined) {
        parameters.push(after.createdAt, after.id)
        condition = `AND (created_at, id) ${beyond} ($5::timestamptz, $6::text)`
      }
      const { rows } = await database.query<ResourceRecord>(
        `SELECT ${COLUMNS} FROM provider_resources
         WHERE organization_id = $1 AND provider = $2 AND kind = $3 ${condition}
         ORDER BY created_at ${direction}, id ${direction} LIMIT $4`,
        parameters,
      )
      return rows.map(fromRecord)
    },

    async remove({ organizationId, provider, kind, id }) {
      await database.query(
        `DELETE FROM provider_resources
         WHERE organization_id = $1 AND provider = $2 AND kind = $3 AND id = $4`,
        [organizationId, provider, kind, id],
      )
    },

    async markSettled({ provider, kind, id }, at) {
      await database.query(
        `UPDATE provider_resources SET settled_at = coalesce(settled_at, $4::timestamptz)
         WHERE provider = $1 AND kind = $2 AND id = $3`,
        [provider, kind, id, at],
      )
    },

    async listOpen(organizationId, max) {
      const { rows } = await database.query<ResourceRecord>(
        `SELECT ${COLUMNS} FROM provider_resources
         WHERE organization_id = $1 AND kind = 'batch' AND settled_at IS NULL ORDER BY created_at, id LIMIT $2`,
        [organizationId, max],
      )
      return rows.map(fromRecord)
    },

    async claimDue(now, again, max) {
      // A row that another replica is taking is passed over, and has another time when that is done.
      const { rows } = await database.query<ResourceRecord>(
        `UPDATE provider_resources SET look_at = $2::timestamptz
         WHERE kind = 'batch' AND (provider, id) IN (
           SELECT provider, id FROM provider_resources
           WHERE kind = 'batch' AND settled_at IS NULL AND look_at <= $1::timestamptz
           ORDER BY look_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         RETURNING ${COLUMNS}`,
        [now, again, max],
      )
      return rows.map(fromRecord)
    },
  }
}

/** PostgreSQL holds neither zero characters nor halves of surrogate pairs. */
function storable(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\0', '').toWellFormed()
}

function storableTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, storable(value) ?? '']))
}

function fromRecord(record: ResourceRecord): Resource {
  return {
    id: record.id,
    provider: record.provider,
    kind: record.kind,
    organizationId: record.organization_id,
    teamId: record.team_id,
    keyId: record.key_id,
    userId: record.user_id,
    sessionId: record.session_id,
    task: record.task,
    tags: record.tags,
    requestId: record.request_id,
    createdAt: record.created_at,
    settledAt: record.settled_at,
    heldNanoUsd: record.held_nano_usd === null ? null : Number(record.held_nano_usd),
    lookAt: record.look_at,
  }
}
