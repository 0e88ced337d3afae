import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { makeKey } from './fixtures/make-key.ts'
import { hashKey } from './key-hash.ts'
import { isAddressOrRange, KeyRing } from './key-ring.ts'
import type { ApiKey } from './ports.ts'

const NOW = 1_700_000_000_000

function ringOf(...keys: ApiKey[]): KeyRing {
  const ring = new KeyRing()
  for (const key of keys) ring.put(key)
  return ring
}

function refusal(ring: KeyRing, secret: string | undefined, ip = '192.0.2.1', nowMs = NOW): GatewayError {
  try {
    ring.identify(secret, ip, nowMs)
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
  throw new Error('The key was accepted.')
}

function isAccepted(ipAllow: readonly string[] | null, ip: string): boolean {
  const ring = ringOf(makeKey('gh-a', { ipAllow }))
  try {
    ring.identify('gh-a', ip, NOW)
    return true
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'ip_not_allowed') return false
    throw error
  }
}

describe('identify()', () => {
  it('finds a key by itself alone', () => {
    const key = makeKey('gh-a')
    const ring = ringOf(key, makeKey('gh-b'))
    expect(ring.identify('gh-a', '192.0.2.1', NOW)).toBe(key)
    for (const wrong of [undefined, '', 'gh-', 'gh-A', 'gh-a ', key.hash, key.id, '__proto__']) {
      expect(refusal(ring, wrong).code).toBe('invalid_api_key')
    }
  })

  it('refuses from the very moment of expiry and of revocation on', () => {
    const at = new Date(NOW)
    const expired = ringOf(makeKey('gh-a', { expiresAt: at }))
    expect(expired.identify('gh-a', '192.0.2.1', NOW - 1).name).toBe('gh-a')
    expect(refusal(expired, 'gh-a').code).toBe('key_expired')
    const revoked = ringOf(makeKey('gh-a', { revokedAt: at, expiresAt: at }))
    expect(revoked.identify('gh-a', '192.0.2.1', NOW - 1).name).toBe('gh-a')
    expect(refusal(revoked, 'gh-a').code).toBe('key_revoked')
  })

  it('says the same words to a stranger and to the holder of a dead key', () => {
    const ring = ringOf(
      makeKey('gh-expired', { expiresAt: new Date(0) }),
      makeKey('gh-revoked', { revokedAt: new Date(0) }),
    )
    const texts = ['gh-unknown', 'gh-expired', 'gh-revoked', undefined].map(
      (secret) => refusal(ring, secret).message,
    )
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]).not.toContain('gh-expired')
  })

  it('lets addresses and ranges pass, and nothing else', () => {
    const list = ['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::1']
    for (const ip of ['192.0.2.7', '10.255.1.2', '2001:db8:1::5', '::1', '0:0:0:0:0:0:0:1']) {
      expect([ip, isAccepted(list, ip)]).toEqual([ip, true])
    }
    for (const ip of ['192.0.2.8', '11.0.0.1', '2001:db9::1', '::2', '', 'localhost', '10.0.0.1:80', '%']) {
      expect([ip, isAccepted(list, ip)]).toEqual([ip, false])
    }
    expect(isAccepted(['fe80::/10'], 'fe80::1%eth0')).toBe(true)
    expect(isAccepted(null, 'anything')).toBe(true)
    expect(isAccepted([], '192.0.2.7')).toBe(false)
    expect(isAccepted(['nonsense'], '192.0.2.7')).toBe(false)
  })

  it('takes an IPv4 address in IPv6 clothes for what it is, however it is written', () => {
    for (const ip of ['::ffff:10.1.2.3', '::FFFF:10.1.2.3', '::ffff:a01:203', '0:0:0:0:0:ffff:10.1.2.3']) {
      expect([ip, isAccepted(['10.0.0.0/8'], ip)]).toEqual([ip, true])
      expect([ip, isAccepted(['11.0.0.0/8'], ip)]).toEqual([ip, false])
    }
    expect(isAccepted(['::ffff:10.0.0.0/104'], '10.1.2.3')).toBe(true)
  })

  it('agrees with the arithmetic of IPv4 ranges', () => {
    const address = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    const text = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (range, ip, bits) => {
        const mask = bits === 0 ? 0 : (~0 << (32 - bits)) >>> 0
        const inside = (range & mask) >>> 0 === (ip & mask) >>> 0
        expect(isAccepted([`${text(range)}/${bits}`], text(ip))).toBe(inside)
      }),
    )
  })

  it('keeps address and key out of what the caller reads', () => {
    const ring = ringOf(makeKey('gh-a', { ipAllow: ['10.0.0.0/8'] }))
    const error = refusal(ring, 'gh-a', '192.0.2.1')
    expect(error.message).not.toMatch(/192|10\.0|gh-a|id of/)
    expect(error.detail).toEqual({ keyId: 'id of gh-a', ip: '192.0.2.1' })
  })
})

describe('put()', () => {
  it('replaces a key of the same id, and forgets its old secret', () => {
    const ring = ringOf(makeKey('gh-old', { id: 'k' }))
    ring.put(makeKey('gh-new', { id: 'k' }))
    expect(ring.size).toBe(1)
    expect(refusal(ring, 'gh-old').code).toBe('invalid_api_key')
    expect(ring.identify('gh-new', '192.0.2.1', NOW).id).toBe('k')
  })

  it('takes effect at once for a key that is revoked', () => {
    const ring = ringOf(makeKey('gh-a'))
    ring.put(makeKey('gh-a', { revokedAt: new Date(NOW) }))
    expect(refusal(ring, 'gh-a').code).toBe('key_revoked')
  })

  it('survives whatever stands in a list of addresses', () => {
    const entries = ['fe80::1%eth0', '10.0.0.0/33', '::/129', '1.2.3.4/', '/8', '10.0.0.1/8/8', ' 10.0.0.1']
    expect(isAccepted(entries, '10.0.0.1')).toBe(false)
    fc.assert(fc.property(fc.array(fc.string()), fc.string(), (list, ip) => void isAccepted(list, ip)))
  })
})

describe('beginReload()', () => {
  it('forgets what is not read, at its end', () => {
    const ring = ringOf(makeKey('gh-a'), makeKey('gh-b'))
    const reload = ring.beginReload()
    reload.put(makeKey('gh-b'))
    reload.put(makeKey('gh-c'))
    expect(ring.identify('gh-a', '192.0.2.1', NOW).name).toBe('gh-a')
    reload.finish()
    expect(ring.size).toBe(2)
    expect(refusal(ring, 'gh-a').code).toBe('invalid_api_key')
    expect(ring.identify('gh-b', '192.0.2.1', NOW).name).toBe('gh-b')
    expect(ring.identify('gh-c', '192.0.2.1', NOW).name).toBe('gh-c')
  })

  it('keeps a key that is made meanwhile', () => {
    const ring = new KeyRing()
    const reload = ring.beginReload()
    ring.put(makeKey('gh-new'))
    reload.finish()
    expect(ring.identify('gh-new', '192.0.2.1', NOW).name).toBe('gh-new')
  })

  it('does not open the gate again to a key that is revoked meanwhile', () => {
    const ring = ringOf(makeKey('gh-a'))
    const reload = ring.beginReload()
    ring.put(makeKey('gh-a', { revokedAt: new Date(NOW) }))
    reload.put(makeKey('gh-a'))
    reload.finish()
    expect(refusal(ring, 'gh-a').code).toBe('key_revoked')
  })

  it('believes what it reads again once a reload is over', () => {
    const ring = ringOf(makeKey('gh-a', { revokedAt: new Date(NOW) }))
    const reload = ring.beginReload()
    reload.put(makeKey('gh-a'))
    reload.finish()
    expect(ring.identify('gh-a', '192.0.2.1', NOW).name).toBe('gh-a')
  })
})

describe('ofOrganization()', () => {
  it('gives the keys of that organization alone', () => {
    const ring = ringOf(makeKey('gh-a'), makeKey('gh-b', { organizationId: 'org-2' }))
    expect(ring.ofOrganization('org-2').map(({ name }) => name)).toEqual(['gh-b'])
    expect(ring.ofOrganization('org-3')).toEqual([])
  })
})

describe('isAddressOrRange()', () => {
  it('accepts addresses and ranges of both families', () => {
    for (const entry of ['1.2.3.4', '1.2.3.4/0', '1.2.3.4/32', '::1', '::/0', '2001:db8::/128'])
      expect([entry, isAddressOrRange(entry)]).toEqual([entry, true])
  })

  it('refuses everything else', () => {
    const wrong = [
      '',
      'a',
      '1.2.3',
      '1.2.3.4/33',
      '::1/129',
      '1.2.3.4/-1',
      '1.2.3.4/1e1',
      '1.2.3.4/8/8',
      'fe80::1%eth0',
    ]
    for (const entry of wrong) expect([entry, isAddressOrRange(entry)]).toEqual([entry, false])
  })
})

describe('hashKey()', () => {
  it('is SHA-256 as base64url', () => {
    // printf abc | openssl dgst -sha256 -binary | basenc --base64url
    expect(hashKey('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
  })
})
