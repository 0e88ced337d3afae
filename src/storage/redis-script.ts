import { createHash } from 'node:crypto'

/** What we need of a connection to one Redis or to a cluster of them; both clients of ioredis have it. */
export interface RedisClient {
  /** `ready` = commands are sent at once. */
  readonly status: string
  readonly isCluster: boolean
  info(section: 'server'): Promise<string>
  evalsha(sha: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(lua: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
  get(key: string): Promise<string | null>
  set(key: string, value: string, condition: 'NX', get: 'GET'): Promise<string | null>
  incr(key: string): Promise<number>
  time(): Promise<(string | number)[]>
  hgetall(key: string): Promise<Record<string, string>>
  pexpire(key: string, ms: number): Promise<number>
  zadd(key: string, score: number, member: string): Promise<unknown>
  zrem(key: string, member: string): Promise<number>
  zrangebyscore(
    key: string,
    min: '-inf',
    max: number | '+inf',
    limit: 'LIMIT',
    offset: number,
    count: number,
  ): Promise<string[]>
  on(event: 'ready' | 'close', listener: () => void): unknown
  off(event: 'ready' | 'close', listener: () => void): unknown
}

export interface RedisScript {
  readonly lua: string
  readonly sha: string
}

/** @param parts joined in this order: what scripts share comes first */
export function redisScript(...parts: readonly string[]): RedisScript {
  const lua = parts.join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/** Runs a script by its hash; its text is sent only to a server that does not know it, as after a restart. */
export async function runScript(
  client: RedisClient,
  { lua, sha }: RedisScript,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return client.eval(lua, keys.length, ...keys, ...args)
  }
}
