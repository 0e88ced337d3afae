import { BlockList, isIP } from 'node:net'
import { GatewayError } from '../core/errors.ts'
import { hashKey } from './key-hash.ts'
import type { ApiKey } from './ports.ts'

/** A key as the data plane knows it: everything that a call is checked against is ready to use. */
export interface RingKey {
  readonly key: ApiKey
  /** Unix milliseconds from which on the key is refused; `Infinity` = never. */
  readonly expiresAtMs: number
  readonly revokedAtMs: number
  readonly addresses: BlockList | undefined
}

// One sentence for every key that does not open the gate: only who holds the whole key learns more, by its code.
const REFUSED =
  'The API key is not valid. Send a Gatehouse key as `Authorization: Bearer gh-…`, `x-api-key` or `x-goog-api-key`.'

/** A reading of all keys that is under way. */
export interface Reload {
  /** Takes a key as it was read, unless it changed since the reading began: what was read may be older. */
  put(key: ApiKey): void
  /** Forgets every key that was neither read nor changed since. */
  finish(): void
}

/** All keys in memory, by the hash of the key. Looking one up costs the same for ten keys and for a million. */
export class KeyRing {
  private readonly byHash = new Map<string, RingKey>()
  private readonly hashById = new Map<string, string>()
  /** Everyone who ever had a key here; never fewer than there are. */
  private readonly organizations = new Set<string>()
  /** Ids of the keys put since a reload began, while one is under way. */
  private changed: Set<string> | undefined

  get size(): number {
    return this.byHash.size
  }

  /** Whether more than one organization is served. */
  get isShared(): boolean {
    return this.organizations.size > 1
  }

  put(key: ApiKey): void {
    this.changed?.add(key.id)
    this.keep(key)
  }

  private keep(key: ApiKey): void {
    const earlier = this.hashById.get(key.id)
    if (earlier !== undefined && earlier !== key.hash) this.byHash.delete(earlier)
    this.hashById.set(key.id, key.hash)
    this.organizations.add(key.organizationId)
    this.byHash.set(key.hash, {
      key,
      expiresAtMs: key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
      revokedAtMs: key.revokedAt?.getTime() ?? Number.POSITIVE_INFINITY,
      addresses: key.ipAllow === null ? undefined : toBlockList(key.ipAllow),
    })
  }

  /** The keys of one organization; walks all, so not for the way of a call. */
  ofOrganization(organizationId: string): ApiKey[] {
    const keys: ApiKey[] = []
    for (const { key } of this.byHash.values()) if (key.organizationId === organizationId) keys.push(key)
    return keys
  }

  /** One at a time: what an earlier one has yet to read is not held against changes any more. */
  beginReload(): Reload {
    const changed = new Set<string>()
    this.changed = changed
    const read = new Set<string>()
    return {
      put: (key) => {
        read.add(key.id)
        if (!changed.has(key.id)) this.keep(key)
      },
      finish: () => {
        for (const [id, hash] of this.hashById) {
          if (read.has(id) || changed.has(id)) continue
          this.hashById.delete(id)
          this.byHash.delete(hash)
        }
        this.changed = undefined
      },
    }
  }

  /**
   * @param credential the key as the caller sent it
   * @param nowMs Unix milliseconds
   * @returns the key's record
   * @throws GatewayError `invalid_api_key`, `key_expired`, `key_revoked` or `ip_not_allowed`. Only the SHA-256 of
   *   what was sent is ever compared, so the time of the answer says nothing about a key.
   */
  identify(credential: string | undefined, ip: string, nowMs: number): ApiKey {
    const found = this.find(credential)
    requireOpen(found, ip, nowMs)
    return found.key
  }

  /**
   * @returns whose key it is, also where it opens nothing any more: what it was used for is booked on its owner
   * @throws GatewayError `invalid_api_key`
   */
  find(credential: string | undefined): RingKey {
    const found =
      credential === undefined || credential === '' ? undefined : this.byHash.get(hashKey(credential))
    if (found === undefined) throw new GatewayError('invalid_api_key', { message: REFUSED })
    return found
  }
}

/** @throws GatewayError `key_expired`, `key_revoked` or `ip_not_allowed` */
export function requireOpen(found: RingKey, ip: string, nowMs: number): void {
  const detail = { keyId: found.key.id }
  if (nowMs >= found.revokedAtMs) throw new GatewayError('key_revoked', { message: REFUSED, detail })
  if (nowMs >= found.expiresAtMs) throw new GatewayError('key_expired', { message: REFUSED, detail })
  if (found.addresses !== undefined && !isAllowed(found.addresses, ip)) {
    throw new GatewayError('ip_not_allowed', {
      message: 'This key may not be used from this address.',
      detail: { ...detail, ip },
    })
  }
}

/** @returns whether each entry is an address or a CIDR range; used before such a list is stored */
export function isAddressOrRange(entry: string): boolean {
  const [address = '', bits, ...more] = entry.split('/')
  const family = isIP(address)
  // A zone (`fe80::1%eth0`) names an interface of one machine, so it says nothing about callers.
  if (family === 0 || more.length > 0 || address.includes('%')) return false
  if (bits === undefined) return true
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

function toBlockList(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    if (!isAddressOrRange(entry)) continue
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

/** IPv4 in IPv6 clothes (`::ffff:10.0.0.1`) is checked against both by the list itself. */
function isAllowed(list: BlockList, ip: string): boolean {
  const [address = ''] = ip.split('%', 1)
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}
