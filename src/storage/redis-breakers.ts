import type { Clock } from '../core/clock.ts'
import type { BreakerFeed, BreakerHandlers, BreakerRecord } from '../routing/breakers/ports.ts'
import { fromStoredText, type StoredBreaker, toState, toStoredText } from './redis-breaker-record.ts'
import { type RedisClient, redisScript, runScript } from './redis-script.ts'

/** What we need of the connection that is asked. */
export interface BreakerRedis extends RedisClient {
  mget(...keys: string[]): Promise<(string | null)[]>
  mset(...keysAndValues: string[]): Promise<unknown>
  msetnx(...keysAndValues: string[]): Promise<unknown>
  hset(key: string, field: string, value: string): Promise<unknown>
  hsetnx(key: string, field: string, value: string): Promise<unknown>
  hdel(key: string, ...fields: string[]): Promise<unknown>
  publish(channel: string, message: string): Promise<unknown>
}

/** What we need of the connection that listens. */
export interface BreakerSubscriber {
  readonly status: string
  subscribe(channel: string): Promise<unknown>
  on(event: 'ready', listener: () => void): unknown
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
}

export interface RedisBreakersOptions {
  readonly client: BreakerRedis
  readonly subscriber: BreakerSubscriber
  readonly clock: Clock
  /** Names this replica, and no other. */
  readonly id: string
  /** Before the names of all keys. */
  readonly namespace?: string | undefined
  /** How long the first look may take. */
  readonly firstLookMs?: number | undefined
}

/** What is set by hand has to be in force within 5 s; what other replicas say is told at once, and found here at last. */
const POLL_MS = 1000
/** A target's breaker that closed is remembered for as long as a replica may be without Redis and not notice. */
const CLOSED_TARGETS_MS = 600_000
const FIRST_LOOK_MS = 500

/** Writes state and record where both are still what was found; empty = absent. */
const REPLACE = redisScript(`
local found = redis.call('MGET', KEYS[1], KEYS[2])
if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] then return 0 end
redis.call('MSET', KEYS[1], ARGV[3], KEYS[2], ARGV[4])
return 1`)

interface Keys {
  readonly state: string
  readonly record: string
  readonly until: string
  readonly targets: string
}

/** What stood there. */
interface Found {
  readonly state: string | null
  readonly text: string | null
}

/**
 * Breakers that all replicas share. `circuit:{provider}:state` is for people: read it, or set it. What replicas tell
 * each other stands in a second key of the same slot, so that both change in one command, and a state that differs
 * from what the replicas said was set by hand.
 */
export class RedisBreakers implements BreakerFeed {
  isReady = false
  private readonly options: RedisBreakersOptions
  private readonly namespace: string
  private handlers: BreakerHandlers | undefined
  private readonly waiting = new Map<string, BreakerRecord>()
  /** Texts that were taken over, or written, by provider and model. */
  private readonly seen = new Map<string, string>()
  private offsetMs = 0
  private timer: NodeJS.Timeout | undefined
  private working: Promise<void> | undefined
  /** Providers to be looked at; `undefined` = all. */
  private asked: Set<string> | undefined = new Set()
  private closed = false
  private readonly firstLook = Promise.withResolvers<void>()

  constructor(options: RedisBreakersOptions) {
    this.options = options
    this.namespace = options.namespace ?? 'circuit'
  }

  async follow(handlers: BreakerHandlers): Promise<void> {
    const { client, subscriber, firstLookMs = FIRST_LOOK_MS } = this.options
    this.handlers = handlers
    subscriber.on('message', (_channel, provider) => this.look(provider))
    subscriber.on('ready', () => this.subscribe())
    if (subscriber.status === 'ready') this.subscribe()
    client.on('ready', this.onReady)
    this.timer = setInterval(() => this.look(), POLL_MS).unref()
    void this.look()
    await Promise.race([this.firstLook.promise, passed(firstLookMs)])
  }

  publish(record: BreakerRecord): void {
    if (this.closed) return
    this.waiting.set(keyOf(record), record)
    void this.look(record.provider)
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    this.options.client.off('ready', this.onReady)
    await this.working
    this.closed = true
  }

  private readonly onReady = () => void this.look()

  private subscribe(): void {
    // Where it fails, the connection ends as well, and the next one tries again; until then there is the poll.
    this.options.subscriber.subscribe(`${this.namespace}:changes`).catch(() => undefined)
  }

  /** Takes over what stands there and writes what waits, one look at a time. @param provider that one alone */
  private look(provider?: string): Promise<void> {
    if (provider === undefined) this.asked = undefined
    else this.asked?.add(provider)
    this.working ??= this.work().finally(() => {
      this.working = undefined
    })
    return this.working
  }

  private async work(): Promise<void> {
    const { handlers } = this
    const { client, clock } = this.options
    if (handlers === undefined || client.status !== 'ready') {
      this.isReady = false
      return
    }
    try {
      while (!this.closed && (this.asked === undefined || this.asked.size > 0)) {
        const names = this.asked ?? new Set(handlers.providers())
        if (this.asked === undefined) {
          const [seconds, microseconds] = await client.time()
          this.offsetMs = Number(seconds) * 1000 + Number(microseconds) / 1000 - clock.now()
        }
        this.asked = new Set()
        await Promise.all([...names].map((name) => this.lookAt(name, handlers)))
      }
      this.isReady = true
      this.firstLook.resolve()
    } catch {
      // Redis is away, and whoever holds the connection says so. The next look comes within a second.
      this.isReady = false
      this.asked = undefined
    }
  }

  private async lookAt(provider: string, handlers: BreakerHandlers): Promise<void> {
    const { client } = this.options
    const { state, record: own, targets: ofTargets } = this.keysOf(provider)
    const [[stateText = null, text = null], targets] = await Promise.all([
      client.mget(state, own),
      client.hgetall(ofTargets),
    ])
    const stored = fromStoredText(text, this.offsetMs)
    if (stateText === null) await this.restore(provider, handlers)
    else {
      const said = toState(stateText)
      if (said !== undefined && said !== stored?.record.state) handlers.onOrder(provider, said)
      else this.takeOver(keyOf({ provider, model: '' }), text, stored, handlers)
    }
    const outdated: string[] = []
    for (const [model, targetText] of Object.entries(targets)) {
      const target = fromStoredText(targetText, this.offsetMs)
      this.takeOver(keyOf({ provider, model }), targetText, target, handlers)
      if (target !== undefined && !this.isOutdated(target.record)) continue
      outdated.push(model)
      this.seen.delete(keyOf({ provider, model }))
    }
    if (outdated.length > 0) await client.hdel(ofTargets, ...outdated)
    await this.write(provider, { state: stateText, text })
  }

  /** Redis knows nothing of it: it is new there, or was lost. Whoever has something to say goes first. */
  private async restore(provider: string, handlers: BreakerHandlers): Promise<void> {
    const { client, id } = this.options
    const keys = this.keysOf(provider)
    const { targets, ...own } = handlers.current(provider)
    // Nobody has changed it now: it yields to every change.
    const toText = (record: BreakerRecord) =>
      toStoredText(id, { ...record, changedAtMs: record.openedAtMs ?? 0 }, this.offsetMs)
    if (!this.waiting.has(keyOf(own))) await client.msetnx(keys.state, own.state, keys.record, toText(own))
    for (const target of targets) await client.hsetnx(keys.targets, target.model, toText(target))
  }

  private takeOver(
    key: string,
    text: string | null,
    stored: StoredBreaker | undefined,
    handlers: BreakerHandlers,
  ): void {
    if (stored === undefined || text === null || this.seen.get(key) === text) return
    const waiting = this.waiting.get(key)
    if (stored.by !== this.options.id && (waiting === undefined || this.givesWay(waiting, stored.record))) {
      this.waiting.delete(key)
      handlers.onRecord(stored.record)
    }
    this.seen.set(key, text)
  }

  /** The later word counts, by Redis's clock; what an operator holds open, only an operator changes. */
  private givesWay(waiting: BreakerRecord, stored: BreakerRecord): boolean {
    if (waiting.byOperator && !stored.byOperator) return false
    const isHeld = stored.byOperator && stored.state === 'open' && !waiting.byOperator
    return isHeld || stored.changedAtMs > waiting.changedAtMs
  }

  private async write(provider: string, found: Found): Promise<void> {
    const { client, id } = this.options
    const keys = this.keysOf(provider)
    const waiting = [...this.waiting.values()].filter((record) => record.provider === provider)
    for (const record of waiting) {
      const text = toStoredText(id, record, this.offsetMs)
      if (record.model !== '') await client.hset(keys.targets, record.model, text)
      else if (!(await this.replace(keys, found, record, text))) {
        // Somebody was faster: whose word counts is to be seen.
        this.asked?.add(provider)
        return
      }
      const key = keyOf(record)
      this.seen.set(key, text)
      // A newer one may have come in the meantime.
      if (this.waiting.get(key) === record) this.waiting.delete(key)
      else this.asked?.add(provider)
    }
    if (waiting.length > 0) await client.publish(`${this.namespace}:changes`, provider)
  }

  private async replace(keys: Keys, found: Found, record: BreakerRecord, text: string): Promise<boolean> {
    const { client } = this.options
    const expected = [found.state ?? '', found.text ?? '']
    const done = await runScript(
      client,
      REPLACE,
      [keys.state, keys.record],
      [...expected, record.state, text],
    )
    if (done !== 1) return false
    // For people alone; by itself, because it may lie in another slot of a cluster.
    const until = record.untilMs === undefined ? '' : new Date(record.untilMs + this.offsetMs).toISOString()
    await client.mset(keys.until, until)
    return true
  }

  private isOutdated({ state, pausedUntilMs, changedAtMs }: BreakerRecord): boolean {
    const nowMs = this.options.clock.now()
    const isAtRest = state === 'closed' && (pausedUntilMs === undefined || pausedUntilMs < nowMs)
    return isAtRest && nowMs - changedAtMs > CLOSED_TARGETS_MS
  }

  private keysOf(provider: string): Keys {
    const state = `${this.namespace}:${provider}:state`
    return {
      state,
      // In the slot of the state: a slot is that of what stands in braces
      // (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
      record: `${this.namespace}:record:{${state}}`,
      until: `${this.namespace}:${provider}:until`,
      targets: `${this.namespace}:${provider}:targets`,
    }
  }
}

function keyOf({ provider, model }: Pick<BreakerRecord, 'provider' | 'model'>): string {
  return `${provider}/${model}`
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
