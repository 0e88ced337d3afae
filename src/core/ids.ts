import { randomBytes, randomFillSync } from 'node:crypto'

// Random bytes are drawn in one go for many ids: a call to the generator costs more than an id. Of the 11 that an id
// takes, ten are its digits and two bits of the last one the variant.
const BYTES_PER_ID = 11
const pool = Buffer.alloc(BYTES_PER_ID * 256)
let poolPosition = pool.length

const VARIANT = ['8', '9', 'a', 'b']

// Ids are made by the thousand within one millisecond, so its digits are kept.
let lastMs = -1
let lastTime = ''

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
  const variant = VARIANT[(pool[poolPosition + 10] ?? 0) & 3]
  poolPosition += BYTES_PER_ID
  if (nowMs !== lastMs) {
    const digits = Math.floor(nowMs).toString(16).padStart(12, '0')
    lastTime = `${digits.slice(0, 8)}-${digits.slice(8)}-7`
    lastMs = nowMs
  }
  return `${lastTime}${random.slice(0, 3)}-${variant}${random.slice(3, 6)}-${random.slice(6, 18)}`
}

/**
 * @param requestId of the call
 * @param number of the attempt, from 1; 0 = a call that was refused before any
 * @returns the id of its settlement: known before the attempt begins, and to whoever settles it in place of another
 */
export function attemptId(requestId: string, number: number): string {
  return `${requestId}.${number}`
}

/** @returns 32 random bytes behind a prefix, as base64url: `gh-` for keys of the data plane */
export function newSecret(prefix: string): string {
  return prefix + randomBytes(32).toString('base64url')
}
