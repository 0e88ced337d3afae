import type { ApiKey } from '../identity/ports.ts'

/** A row of `api_keys`, without what only the database needs. */
export interface KeyRecord {
  readonly id: string
  readonly organization_id: string
  readonly team_id: string | null
  readonly name: string
  readonly hash: string
  readonly prefix: string
  readonly user_id: string | null
  readonly models: string[] | null
  readonly scopes: string[]
  readonly ip_allow: string[] | null
  readonly expires_at: Date | null
  readonly revoked_at: Date | null
  readonly created_at: Date
}

export const KEY_COLUMNS =
  'id, organization_id, team_id, name, hash, prefix, user_id, models, scopes, ip_allow, expires_at, revoked_at, created_at'

export function fromKeyRecord(record: KeyRecord): ApiKey {
  return {
    id: record.id,
    organizationId: record.organization_id,
    teamId: record.team_id,
    name: record.name,
    hash: record.hash,
    prefix: record.prefix,
    user: record.user_id,
    models: record.models,
    scopes: record.scopes,
    ipAllow: record.ip_allow,
    expiresAt: record.expires_at,
    revokedAt: record.revoked_at,
    createdAt: record.created_at,
  }
}
