import { randomBytes, randomFillSync } from 'node:crypto'

// Random bytes are drawn in one go for many ids: a call to the generator costs more than an id.
const pool = Buffer.alloc(10 * 256)
let poolPosition = pool.length

/**
 * @param nowMs Unix time in milliseconds
 * @returns a UUID of version 7 (RFC 9562, section 5.7): sorts by time, so that indexes grow at one end
 */
export function uuidV7(nowMs: number): string {
  if (poolPosition === pool.length) {
    randomFillSync(pool)
    poolPosition = 0
  }
  const random = pool.toString('hex', poolPosition, poolPosition + 10)
  poolPosition += 10
  const time = Math.floor(nowMs).toString(16).padStart(12, '0')
  const variant = ((Number.parseInt(random.charAt(3), 16) & 0x3) | 0x8).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`
}

/** @returns 32 random bytes behind a prefix, as base64url: `gh-` for keys of the data plane */
export function newSecret(prefix: string): string {
  return prefix + randomBytes(32).toString('base64url')
}
