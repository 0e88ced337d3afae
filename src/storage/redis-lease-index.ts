import { LAPSED } from './redis-counter-scripts.ts'
import { type RedisClient, runScript } from './redis-script.ts'

/** Who asked for abandoned holds has this long to end them, before they are handed to the next. */
const CLAIM_MS = 10_000
/** An entry is relied on only while it is further away than any command, and any error of our clock, can take. */
const MARGIN_MS = 5000
const SECOND_MS = 1000
/** Without anybody who sweeps, the index lapses after this long. */
const INDEX_KEPT_MS = 2_592_000_000
const REMEMBERED_MAX = 100_000
const ORGANIZATIONS_AT_ONCE = 64
const ROUNDS_MAX = 16

export interface LapsedHold {
  readonly organizationId: string
  readonly holdId: string
  /** Fields and values in turn. */
  readonly fields: readonly string[]
}

export interface RedisLeaseIndexOptions {
  readonly client: RedisClient
  readonly namespace: string
  /** Unix milliseconds by the server's clock, as nearly as we know it. */
  readonly serverNow: () => number
  /** The time for scripts: nothing, or a test's own. */
  readonly scriptNow: () => string
}

/**
 * Which organizations have to be looked at, and when, to find holds whose lease ended: one sorted set of all
 * organizations with open holds, beside the sorted set of leases that each organization has. It may name one too
 * often, never too rarely: an entry goes only when its organization was looked at after the entry's moment, and where
 * holds were open then a later entry was made first.
 */
export class RedisLeaseIndex {
  private readonly options: RedisLeaseIndexOptions
  private readonly key: string
  /** The moment of the entry that we last made for an organization: until then no later one is needed. */
  private readonly made = new Map<string, number>()

  constructor(options: RedisLeaseIndexOptions) {
    this.options = options
    this.key = `${options.namespace}:leases`
  }

  /**
   * To be called before a hold is taken. Never waits, and where leases are of one length and longer than the margin it
   * writes once per lease and organization.
   */
  expect(organizationId: string, leaseMs: number): void {
    const nowMs = this.options.serverNow()
    const atMs = toSecond(nowMs + leaseMs)
    const made = this.made.get(organizationId)
    if (made !== undefined && made > nowMs + MARGIN_MS && made <= atMs) return
    if (this.made.size >= REMEMBERED_MAX) this.made.clear()
    this.made.set(organizationId, atMs)
    this.enter(organizationId, atMs).catch(() => {
      // The hold that was sent right after it has the same fate, or is found with the next entry.
      this.made.delete(organizationId)
    })
  }

  /** What was written may be gone. */
  forget(): void {
    this.made.clear()
  }

  async lapsed(max: number): Promise<readonly LapsedHold[]> {
    const found: LapsedHold[] = []
    for (let round = 0; round < ROUNDS_MAX && found.length < max; round++) {
      const left = max - found.length
      const count = Math.min(left, ORGANIZATIONS_AT_ONCE)
      const nowMs = await this.serverTime()
      const entries = await this.options.client.zrangebyscore(this.key, '-inf', nowMs, 'LIMIT', 0, count)
      if (entries.length === 0) break
      const share = Math.floor(left / entries.length)
      for (const holds of await Promise.all(entries.map((entry) => this.visit(entry, share)))) {
        found.push(...holds)
      }
    }
    return found
  }

  private async visit(entry: string, max: number): Promise<readonly LapsedHold[]> {
    const { client, namespace, scriptNow } = this.options
    const organizationId = entry.slice(entry.indexOf(' ') + 1)
    const prefix = `${namespace}:{${organizationId}}:`
    const args = [scriptNow(), String(max), String(CLAIM_MS), `${prefix}hold:`]
    const reply = (await runScript(client, LAPSED, [`${prefix}leases`], args)) as (string | string[])[]
    const [next, more, ...rest] = reply
    if (typeof next === 'string' && next !== '') await this.enter(organizationId, toSecond(Number(next)))
    // What is left of this moment is looked at in the next round.
    if (more !== 'more') await client.zrem(this.key, entry)
    const holds: LapsedHold[] = []
    for (let index = 0; index < rest.length; index += 2) {
      holds.push({ organizationId, holdId: String(rest[index]), fields: rest[index + 1] as string[] })
    }
    return holds
  }

  private async enter(organizationId: string, atMs: number): Promise<void> {
    const { client } = this.options
    await Promise.all([
      client.zadd(this.key, atMs, `${atMs} ${organizationId}`),
      client.pexpire(this.key, INDEX_KEPT_MS),
    ])
  }

  private async serverTime(): Promise<number> {
    const given = this.options.scriptNow()
    if (given !== '') return Number(given)
    const [seconds, microseconds] = await this.options.client.time()
    return Number(seconds) * SECOND_MS + Math.floor(Number(microseconds) / SECOND_MS)
  }
}

/** @returns the end of the second; what is due in it is found once it is over */
function toSecond(ms: number): number {
  return Math.ceil(ms / SECOND_MS) * SECOND_MS
}
