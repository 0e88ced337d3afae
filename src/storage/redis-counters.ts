import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type {
  Amounts,
  Counters,
  CountersLost,
  Hold,
  Meter,
  MeterState,
  MeterUse,
  TakeRequest,
  TakeResult,
} from '../limits/ports.ts'
import { COMMAND_TIMEOUT_MS } from './redis-connection.ts'
import { ADJUST, ASSIGN, END, GROW, READ, TAKE } from './redis-counter-scripts.ts'
import {
  adjustmentKey,
  fromHold,
  fromPairs,
  fromStates,
  fromTaken,
  holdKey,
  keysOf,
  toAmounts,
  toCount,
  toDelta,
  toMeters,
  toNote,
  toSpan,
} from './redis-counter-wire.ts'
import { redisUnavailable, toRedisError } from './redis-error.ts'
import { RedisGeneration } from './redis-generation.ts'
import { RedisLeaseIndex } from './redis-lease-index.ts'
import { type RedisClient, type RedisScript, runScript } from './redis-script.ts'

/** More than this waiting for one server means that it does not answer: better to say so than to pile up. */
const UNDER_WAY_MAX = 10_000
/** Read at once when all holds of an organization are listed. */
const HOLDS_AT_ONCE = 500
/** An organization with more open holds than this has other worries than a complete list of them. */
const HOLDS_MAX = 100_000
/** A repetition comes within seconds or minutes; a day is far on the safe side of that. */
const ADJUSTED_KEPT_MS = 86_400_000
/** A generation that changes while a script is sent is followed this often. */
const TRIES_MAX = 4

export interface RedisCountersOptions {
  /** From `openRedis`; stays open when the counters are closed. */
  readonly client: RedisClient
  readonly clock: Clock
  /** Names generations; a new one each time. */
  readonly newId: () => string
  /**
   * What happens to an organization that was not counted under this generation: it goes on with what is there, or
   * `take` and `grow` refuse with `CountersLost` until it is rebuilt.
   */
  readonly unknown: 'begin' | 'refuse'
  /** How long a call may wait for the store; 250 by default. */
  readonly commandTimeoutMs?: number | undefined
  /** Before the names of all keys; `ratelimit` by default. */
  readonly namespace?: string | undefined
  /** Time for the scripts instead of the server's own. For tests alone: replicas would not agree on it. */
  readonly testNow?: (() => number) | undefined
}

/** Whether whoever asked still waits. */
interface Wait {
  isOver: boolean
}

/** Counters in Redis, shared by all replicas: each operation is one script over all meters of an organization. */
export class RedisCounters implements Counters {
  private readonly options: RedisCountersOptions
  private readonly namespace: string
  private readonly timeoutMs: number
  private readonly generations: RedisGeneration
  private readonly leases: RedisLeaseIndex
  /** Tells what this process took from what others did. */
  private readonly name: string
  private takes = 0
  private underWay = 0
  private closed = false
  /** Milliseconds that the server's clock is ahead of ours. */
  private aheadMs = 0

  constructor(options: RedisCountersOptions) {
    this.options = options
    this.namespace = options.namespace ?? 'ratelimit'
    this.timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS
    const { client, clock, newId } = options
    this.name = newId()
    this.leases = new RedisLeaseIndex({
      client,
      namespace: this.namespace,
      serverNow: () => options.testNow?.() ?? clock.now() + this.aheadMs,
      scriptNow: () => this.scriptNow(),
    })
    this.generations = new RedisGeneration({
      client,
      clock,
      newId,
      namespace: this.namespace,
      onChange: () => this.leases.forget(),
    })
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const { organizationId, holdId, meters, amounts, leaseMs, note } = request
    const keys = keysOf(this.namespace, organizationId)
    const named = toMeters(keys.prefix, meters)
    const taker = `${this.name}.${this.takes++}`
    const lease = toSpan(leaseMs, 'leaseMs')
    const args = [holdId, lease, ...toAmounts(amounts), taker, toNote(note), ...named.args]
    const scriptKeys = [keys.state, holdKey(keys, holdId), keys.leases]
    try {
      const reply = await this.within((wait) =>
        this.fenced(TAKE, organizationId, [...scriptKeys, ...named.keys], args, leaseMs, wait),
      )
      return fromTaken(
        reply,
        meters.map(({ id }) => id),
      )
    } catch (error) {
      this.undo(scriptKeys, [holdId, '0', '0', keys.prefix, taker], error)
      throw error
    }
  }

  async grow(
    organizationId: string,
    holdId: string,
    more: Amounts,
    leaseMs: number,
  ): Promise<TakeResult | undefined> {
    const keys = keysOf(this.namespace, organizationId)
    const args = [holdId, toSpan(leaseMs, 'leaseMs'), ...toAmounts(more), keys.prefix]
    const scriptKeys = [keys.state, holdKey(keys, holdId), keys.leases]
    const reply = await this.within((wait) =>
      this.fenced(GROW, organizationId, scriptKeys, args, leaseMs, wait),
    )
    return reply[0] === 'none' ? undefined : fromTaken(reply, reply.slice(6))
  }

  async settle(organizationId: string, holdId: string, actual: Amounts): Promise<boolean> {
    const [, tokens = '0', cost = '0'] = toAmounts(actual)
    return this.within(() => this.end('settle', organizationId, holdId, tokens, cost))
  }

  async release(organizationId: string, holdId: string): Promise<boolean> {
    return this.within(() => this.end('release', organizationId, holdId, '0', '0'))
  }

  async read(organizationId: string, meters: readonly Meter[]): Promise<readonly MeterState[]> {
    if (meters.length === 0) return []
    const named = toMeters(keysOf(this.namespace, organizationId).prefix, meters)
    const reply = await this.within(() => this.run(READ, named.keys, [this.scriptNow(), ...named.args]))
    return fromStates(
      reply[1] ?? '',
      meters.map(({ id }) => id),
    )
  }

  async assign(organizationId: string, meter: Meter, used: number): Promise<void> {
    await this.within(() => this.put(organizationId, '', [{ meter, used }]))
  }

  async adjust(organizationId: string, meter: Meter, delta: number, id?: string): Promise<void> {
    const keys = keysOf(this.namespace, organizationId)
    const named = toMeters(keys.prefix, [meter])
    const scriptKeys = [keys.state, ...named.keys]
    if (id !== undefined) scriptKeys.push(adjustmentKey(keys, named.keys[0] ?? '', id))
    const args = [this.scriptNow(), ...named.args, toDelta(delta), String(ADJUSTED_KEPT_MS)]
    await this.within(async () => {
      const known = this.generations.before(organizationId)
      const [sequence] = await this.run(ADJUST, scriptKeys, args)
      const isSame = this.generations.after(organizationId, Number(sequence), known)
      if (!isSame && known.generation !== undefined) await this.generations.renew(known.generation)
      this.generations.beat()
    })
  }

  async rebuild(organizationId: string, generation: string, used: readonly MeterUse[]): Promise<boolean> {
    return this.within(async () => {
      if ((await this.generations.ask()) !== generation) return false
      return this.put(organizationId, generation, used)
    })
  }

  async abandoned(max: number): Promise<readonly Hold[]> {
    const lapsed = await this.guarded(() => this.leases.lapsed(max))
    return lapsed.map(({ organizationId, holdId, fields }) =>
      fromHold(organizationId, holdId, fromPairs(fields)),
    )
  }

  async holds(organizationId: string): Promise<readonly Hold[]> {
    const { client } = this.options
    const keys = keysOf(this.namespace, organizationId)
    const ids = await this.within(() =>
      client.zrangebyscore(keys.leases, '-inf', '+inf', 'LIMIT', 0, HOLDS_MAX),
    )
    const holds: Hold[] = []
    for (let start = 0; start < ids.length; start += HOLDS_AT_ONCE) {
      const page = ids.slice(start, start + HOLDS_AT_ONCE)
      const hashes = await this.within(() => Promise.all(page.map((id) => client.hgetall(holdKey(keys, id)))))
      for (const [index, fields] of hashes.entries()) {
        // One that ended since it was listed has no fields any more.
        if (fields.taken_at !== undefined) holds.push(fromHold(organizationId, page[index] ?? '', fields))
      }
    }
    return holds
  }

  async generation(): Promise<string> {
    return this.within(() => this.generations.ask())
  }

  async renewGeneration(lost: string): Promise<string> {
    return this.within(() => this.generations.renew(lost))
  }

  async sequence(): Promise<number> {
    return this.within(() => this.generations.sequence())
  }

  async close(): Promise<void> {
    this.closed = true
    this.generations.close()
  }

  /** Runs a script that counts, once it is known under which generation. */
  private async fenced(
    script: RedisScript,
    organizationId: string,
    keys: readonly string[],
    args: readonly string[],
    leaseMs: number,
    wait: Wait,
  ): Promise<readonly string[]> {
    let unknown: 'begin' | 'refuse' | 'take-over' = this.options.unknown
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const generation = await this.generations.current()
      // Nobody would hear of what was taken now.
      if (wait.isOver) break
      const known = this.generations.before(organizationId)
      this.leases.expect(organizationId, leaseMs)
      const fence = [this.scriptNow(), generation, String(known.sequence), unknown]
      const reply = await this.run(script, keys, [...fence, ...args])
      const [outcome, now, sequence] = reply
      if (this.options.testNow === undefined) this.aheadMs = Number(now) - this.options.clock.now()
      if (outcome === 'lost') await this.generations.renew(generation)
      else if (outcome === 'other') {
        const current = await this.generations.ask()
        if (current === generation && unknown === 'refuse') throw countersLost(organizationId, current)
        if (current === generation) unknown = 'take-over'
      } else if (outcome === 'unknown') {
        throw countersLost(organizationId, await this.generations.ask())
      } else {
        if (sequence !== undefined) this.generations.after(organizationId, Number(sequence), known)
        this.generations.beat()
        return reply
      }
    }
    throw redisUnavailable('The generation of the counters changes too often.')
  }

  private async end(
    how: 'settle' | 'release',
    organizationId: string,
    holdId: string,
    tokens: string,
    cost: string,
  ): Promise<boolean> {
    const keys = keysOf(this.namespace, organizationId)
    const known = this.generations.before(organizationId)
    const scriptKeys = [keys.state, holdKey(keys, holdId), keys.leases]
    const [outcome, sequence] = await this.run(END, scriptKeys, [how, holdId, tokens, cost, keys.prefix, ''])
    const isSame = this.generations.after(organizationId, Number(sequence), known)
    if (!isSame && known.generation !== undefined) await this.generations.renew(known.generation)
    this.generations.beat()
    return outcome === 'ended'
  }

  private async put(organizationId: string, generation: string, used: readonly MeterUse[]): Promise<boolean> {
    const keys = keysOf(this.namespace, organizationId)
    const named = toMeters(
      keys.prefix,
      used.map(({ meter }) => meter),
    )
    const amounts = used.map((use) => toCount(use.used, 'used'))
    const known = this.generations.before(organizationId)
    const args = [this.scriptNow(), generation, ...named.args, ...amounts]
    const [outcome, sequence] = await this.run(ASSIGN, [keys.state, ...named.keys], args)
    this.generations.after(organizationId, Number(sequence), known)
    this.generations.beat()
    return outcome === 'assigned'
  }

  /**
   * A take whose answer nobody heard may have been granted: gives it back as soon as Redis hears of it, unless it was
   * taken again since.
   */
  private undo(keys: readonly string[], args: readonly string[], error: unknown): void {
    if (!(error instanceof GatewayError) || error.detail?.store !== 'redis' || this.closed) return
    this.run(END, keys, ['release', ...args]).catch(() => {
      // Its lease ends, and whoever sweeps finds it.
    })
  }

  private async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<readonly string[]> {
    return (await runScript(this.options.client, script, keys, args)) as readonly string[]
  }

  private scriptNow(): string {
    const { testNow } = this.options
    return testNow === undefined ? '' : String(testNow())
  }

  /** Ends the wait after the timeout, whatever became of the work. */
  private within<Result>(work: (wait: Wait) => Promise<Result>): Promise<Result> {
    return this.guarded(
      () =>
        new Promise<Result>((resolve, reject) => {
          const wait: Wait = { isOver: false }
          const timer = setTimeout(() => {
            // After a turn in which this process did something else for long, the answer may lie unread in the socket.
            setImmediate(() => {
              wait.isOver = true
              reject(redisUnavailable(`Redis did not answer within ${this.timeoutMs} ms.`))
            })
          }, this.timeoutMs)
          work(wait)
            .finally(() => clearTimeout(timer))
            .then(resolve, reject)
        }),
    )
  }

  private async guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.closed) throw redisUnavailable('The counters are closed.')
    if (this.options.client.status !== 'ready') throw redisUnavailable('Redis is not connected.')
    if (this.underWay >= UNDER_WAY_MAX) throw redisUnavailable('Too many calls wait for Redis.')
    this.underWay++
    try {
      return await work()
    } catch (error) {
      throw toRedisError(error)
    } finally {
      this.underWay--
    }
  }
}

function countersLost(organizationId: string, generation: string): GatewayError {
  const detail: CountersLost = { reason: 'counters_lost', organizationId, generation }
  return new GatewayError('storage_unavailable', {
    message: 'The usage of this organization is being counted anew. Try again in a moment.',
    detail,
    retryAfterSeconds: 1,
  })
}
