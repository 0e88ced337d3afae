import type { Page, PageRequest } from '../contract/page.ts'

/** What identity needs of a store. Implemented in `storage/`, for PostgreSQL and PGlite alike. */

export interface Organization {
  readonly id: string
  readonly name: string
  /** Unique, lower case; what commands accept beside the id. */
  readonly slug: string
  readonly createdAt: Date
}

export interface Team {
  readonly id: string
  readonly organizationId: string
  readonly name: string
  readonly createdAt: Date
}

/** A data-plane key. The key itself is not stored: only `hash`, SHA-256 of it as base64url. */
export interface ApiKey {
  readonly id: string
  readonly organizationId: string
  readonly teamId: string | null
  readonly name: string
  readonly hash: string
  /** First characters, for people to recognise it: `gh-aB3x…`. */
  readonly prefix: string
  /** End user that all calls with this key are booked to, where one is set. */
  readonly user: string | null
  /** Names of models this key may use; `null` = all. `*` at the end matches any rest. */
  readonly models: readonly string[] | null
  readonly scopes: readonly string[]
  /** Addresses and CIDR ranges; `null` = any. */
  readonly ipAllow: readonly string[] | null
  readonly expiresAt: Date | null
  /** From this moment on the key is refused; may lie in the future after a rotation with grace. */
  readonly revokedAt: Date | null
  readonly createdAt: Date
}

/**
 * Every write notifies all replicas. Methods that name an id return `undefined` (or `false`) where nothing has it.
 * Names that are taken throw GatewayError `conflict`; an unreachable store throws `storage_unavailable`.
 */
export interface IdentityStore {
  /**
   * With the budget that new organizations start with, and with their rate limits unless it is named as not limited.
   */
  createOrganization(row: {
    id: string
    name: string
    slug: string
    isLimited?: boolean
  }): Promise<Organization>
  /** By id or slug. */
  findOrganization(idOrSlug: string): Promise<Organization | undefined>
  listOrganizations(page: PageRequest): Promise<Page<Organization>>
  updateOrganization(id: string, change: { name?: string; slug?: string }): Promise<Organization | undefined>
  /** Revokes its keys; its usage rows stay. */
  deleteOrganization(id: string): Promise<boolean>

  createTeam(row: { id: string; organizationId: string; name: string }): Promise<Team>
  /** @param organizationId `undefined` = of whichever organization */
  findTeam(organizationId: string | undefined, id: string): Promise<Team | undefined>
  listTeams(organizationId: string, page: PageRequest): Promise<Page<Team>>
  updateTeam(organizationId: string, id: string, change: { name?: string }): Promise<Team | undefined>
  deleteTeam(organizationId: string, id: string): Promise<boolean>

  createKey(row: Omit<ApiKey, 'createdAt' | 'revokedAt'>): Promise<ApiKey>
  findKey(id: string): Promise<ApiKey | undefined>
  listKeys(organizationId: string, page: PageRequest): Promise<Page<ApiKey>>
  /** @returns the key, with the earlier of the old and the new moment as `revokedAt` */
  revokeKey(id: string, at: Date): Promise<ApiKey | undefined>

  /** All keys that are not revoked for longer than a day, in pages, for the memory of the data plane. */
  loadKeys(onPage: (keys: readonly ApiKey[]) => void): Promise<void>
  /**
   * Calls back within a second of any change to a key, wherever it was made (also by hand, in SQL). After a lost
   * connection it calls `onReload`: anything may have changed.
   *
   * @returns stops listening
   */
  watchKeys(handlers: { onKey: (key: ApiKey) => void; onReload: () => void }): Promise<() => Promise<void>>

  /** Settings that are ours alone, for example the hash of a generated admin key. */
  getSetting(name: string): Promise<unknown>
  putSetting(name: string, value: unknown): Promise<void>
}
