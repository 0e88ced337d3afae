import type { Redis } from 'ioredis'

/** @returns the ids of all open holds of an organization */
export function openHolds(redis: Redis, organizationId: string): Promise<string[]> {
  return redis.zrange(`ratelimit:{${organizationId}}:leases`, '0', '-1')
}

/**
 * Ends the leases of holds, as if nobody had renewed them for as long as they last (30 s of a call, 15 minutes of a
 * share): for those who cannot wait so long. By hand, as an operator would.
 */
export async function endLeases(redis: Redis, organizationId: string, ids: readonly string[]): Promise<void> {
  const prefix = `ratelimit:{${organizationId}}`
  for (const id of ids) {
    // What has ended meanwhile stays ended.
    if ((await redis.exists(`${prefix}:hold:${id}`)) === 0) continue
    await redis.hset(`${prefix}:hold:${id}`, 'lease_ends', 1)
    await redis.zadd(`${prefix}:leases`, 1, id)
  }
  await redis.zadd('ratelimit:leases', 1000, `1000 ${organizationId}`)
}
