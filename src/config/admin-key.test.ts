import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adminKeyWeakness } from './admin-key.ts'

describe('adminKeyWeakness', () => {
  it.each(['', '   ', '                    '])('adminKeyWeakness() refuses an empty key (%j)', (key) => {
    expect(adminKeyWeakness(key)).toMatch(/^must not be empty/)
  })

  it.each(['admin', 'password', 'changeme', 'sk-1234', 'Zk3$f9!xQ2#m8Lp'])(
    'adminKeyWeakness() refuses a short key (%s)',
    (key) => expect(adminKeyWeakness(key)).toMatch(/at least 16 characters/),
  )

  it.each([
    'changeme12345678',
    'Admin-admin-admin-1',
    'passwordpassword',
    'PASSWORD_PASSWORD',
    'sk-1234567890123456',
    'sk-12341234123412341234',
    'secret-0000000000000',
  ])('adminKeyWeakness() refuses a well-known key (%s)', (key) => {
    expect(adminKeyWeakness(key)).toMatch(/well-known/)
  })

  it.each([
    'aaaaaaaaaaaaaaaa',
    '1234123412341234',
    'abababababababab',
    '0123456789012345',
    'abcdefghijklmnop',
  ])('adminKeyWeakness() refuses a repetition or sequence (%s)', (key) =>
    expect(adminKeyWeakness(key)).toMatch(/repetition or sequence/),
  )

  it.each([
    'correct horse battery',
    'test-admin-key-0123456789',
    '7b1c9e44-6f0a-4b61-9a53',
    'Zk3$f9!xQ2#m8Lp7',
  ])('adminKeyWeakness() takes a key of 16 characters or more (%s)', (key) =>
    expect(adminKeyWeakness(key)).toBeUndefined(),
  )

  it('adminKeyWeakness() takes every random key and repeats none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 32 }), (bytes) => {
        fc.pre(new Set(bytes).size > 16)
        expect(adminKeyWeakness(Buffer.from(bytes).toString('base64'))).toBeUndefined()
      }),
    )
    const weak = 'passwordpassword'
    expect(adminKeyWeakness(weak)).not.toContain(weak)
  })
})
