import { GatewayError } from '../core/errors.ts'
import { newSecret, uuidV7 } from '../core/ids.ts'
import { hashKey } from './key-hash.ts'
import { isAddressOrRange, type KeyRing } from './key-ring.ts'
import type { ApiKey, IdentityStore, Organization, Team } from './ports.ts'

export interface NewKey {
  readonly name: string
  readonly teamId?: string | undefined
  readonly user?: string | undefined
  readonly models?: readonly string[] | undefined
  readonly scopes?: readonly string[] | undefined
  readonly expiresAt?: Date | undefined
  readonly ipAllow?: readonly string[] | undefined
}

/** A key just made: the only moment at which the key itself is known. */
export interface IssuedKey {
  readonly record: ApiKey
  readonly key: string
}

/** Changes to organizations, teams and keys, as the control API and the commands make them. */
export interface Organizations {
  /** Starts with the configuration's budget and rate limits; with the budget alone where it is not to be limited. */
  create(input: {
    name: string
    slug?: string | undefined
    isLimited?: boolean | undefined
  }): Promise<Organization>
  createTeam(organizationId: string, name: string): Promise<Team>
  /** @throws GatewayError `not_found`, `invalid_request` */
  issueKey(organization: string, input: NewKey): Promise<IssuedKey>
  /** A new key with the rights of the old, which is refused after `graceSeconds`. */
  rotateKey(id: string, graceSeconds: number): Promise<IssuedKey>
  /** Refused here at once, elsewhere within a second. */
  revokeKey(id: string): Promise<ApiKey>
  remove(organizationId: string): Promise<void>
}

export function createOrganizations(store: IdentityStore, ring: KeyRing, now: () => number): Organizations {
  async function organizationOf(idOrSlug: string): Promise<Organization> {
    const found = await store.findOrganization(idOrSlug)
    if (found === undefined) throw notFound('organization', idOrSlug)
    return found
  }

  async function save(
    row: Omit<ApiKey, 'id' | 'hash' | 'prefix' | 'createdAt' | 'revokedAt'>,
  ): Promise<IssuedKey> {
    const key = newSecret('gh-')
    const record = await store.createKey({
      ...row,
      id: uuidV7(now()),
      hash: hashKey(key),
      prefix: key.slice(0, 8),
    })
    ring.put(record)
    return { record, key }
  }

  async function revokeAt(id: string, at: Date): Promise<ApiKey> {
    const revoked = await store.revokeKey(id, at)
    if (revoked === undefined) throw notFound('key', id)
    ring.put(revoked)
    return revoked
  }

  return {
    async create({ name, slug, isLimited = true }) {
      return store.createOrganization({ id: uuidV7(now()), name, slug: slug ?? toSlug(name), isLimited })
    },
    async createTeam(organizationId, name) {
      const { id } = await organizationOf(organizationId)
      return store.createTeam({ id: uuidV7(now()), organizationId: id, name })
    },
    async issueKey(organization, input) {
      const { id } = await organizationOf(organization)
      if (input.teamId !== undefined && (await store.findTeam(id, input.teamId)) === undefined) {
        throw notFound('team', input.teamId)
      }
      const wrong = input.ipAllow?.find((entry) => !isAddressOrRange(entry))
      if (wrong !== undefined) {
        throw new GatewayError('invalid_request', {
          message: `\`${wrong}\` is neither an IP address nor a CIDR range.`,
          param: 'ipAllow',
        })
      }
      return save({
        organizationId: id,
        teamId: input.teamId ?? null,
        name: input.name,
        user: input.user ?? null,
        models: input.models ?? null,
        scopes: input.scopes ?? [],
        expiresAt: input.expiresAt ?? null,
        ipAllow: input.ipAllow ?? null,
      })
    },
    async rotateKey(id, graceSeconds) {
      const old = await store.findKey(id)
      if (old === undefined) throw notFound('key', id)
      if (old.revokedAt !== null && old.revokedAt.getTime() <= now()) {
        throw new GatewayError('conflict', { message: 'This key is revoked; issue a new one instead.' })
      }
      const { organizationId, teamId, name, user, models, scopes, expiresAt, ipAllow } = old
      const issued = await save({ organizationId, teamId, name, user, models, scopes, expiresAt, ipAllow })
      await revokeAt(id, new Date(now() + graceSeconds * 1000))
      return issued
    },
    revokeKey: (id) => revokeAt(id, new Date(now())),
    async remove(organizationId) {
      const { id } = await organizationOf(organizationId)
      const at = new Date(now())
      await store.deleteOrganization(id)
      for (const key of ring.ofOrganization(id)) ring.put({ ...key, revokedAt: at })
    },
  }
}

/** @returns lower-case words joined by hyphens, of at most 63 characters; `organization` where nothing is left */
export function toSlug(name: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '')
  return slug === '' ? 'organization' : slug
}

function notFound(what: string, id: string): GatewayError {
  return new GatewayError('not_found', { message: `There is no ${what} \`${id}\`.` })
}
