import type { Clock } from '../core/clock.ts'
import { RENEW_GENERATION } from './redis-counter-scripts.ts'
import { redisUnavailable } from './redis-error.ts'
import { type RedisClient, runScript } from './redis-script.ts'

/** How often each process that writes counts the writes of all, and looks whether another one found a loss. */
const BEAT_MS = 1000
/** What this process saw of an organization longer ago says nothing: its counters may have lapsed since. */
const FLOOR_MS = 86_400_000
const FLOORS_MAX = 100_000

export interface RedisGenerationOptions {
  readonly client: RedisClient
  readonly clock: Clock
  readonly newId: () => string
  /** Before the names of its keys: `ratelimit`. */
  readonly namespace: string
  /** Called when another generation holds: what was written under the last one may be gone. */
  readonly onChange: () => void
}

export interface Known {
  readonly generation: string | undefined
  /** The least that the sequence of the organization can be; 0 = anything. */
  readonly sequence: number
}

interface Floor {
  readonly sequence: number
  readonly atMs: number
}

/**
 * Whether the store is still the one that was written to. It may not be when the server was started anew or another
 * one took its place (each has an id of its own, which is part of the generation's name), it is not when it came back
 * empty (its generation is missing), nor when it is older than it was: a sequence is then smaller than one that this
 * process has seen, that of all writes or that of one organization. The last is all that there is to go by in a
 * cluster, which has no one server.
 */
export class RedisGeneration {
  private readonly options: RedisGenerationOptions
  private readonly generationKey: string
  private readonly sequenceKey: string
  /** Of the server that we are connected to; `undefined` = it has to be asked. */
  private known: string | undefined
  /** The last one that was known, over all connections. */
  private last: string | undefined
  private highest = 0
  private readonly floors = new Map<string, Floor>()
  private asking: Promise<string> | undefined
  private beatMs = Number.NEGATIVE_INFINITY
  /** Of the server at the other end of this connection; empty = it does not say, `undefined` = not asked yet. */
  private server: string | undefined
  private readonly onConnection = () => {
    this.known = undefined
    this.server = undefined
  }

  constructor(options: RedisGenerationOptions) {
    this.options = options
    this.generationKey = `${options.namespace}:generation`
    this.sequenceKey = `${options.namespace}:sequence`
    // Whatever server is at the other end of a new connection, it may have forgotten.
    options.client.on('ready', this.onConnection)
    options.client.on('close', this.onConnection)
  }

  /** @returns the generation, asked of the store once in each connection */
  current(): Promise<string> | string {
    return this.known ?? this.ask()
  }

  /** Asks the store, begins a generation where it has none, and the next one where the store fell back. */
  ask(): Promise<string> {
    this.asking ??= this.load().finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  async renew(lost: string): Promise<string> {
    const args = [lost, await this.name()]
    return this.learn(
      String(await runScript(this.options.client, RENEW_GENERATION, [this.generationKey], args)),
    )
  }

  async sequence(): Promise<number> {
    return Number((await this.options.client.get(this.sequenceKey)) ?? 0)
  }

  /** @returns what is known of an organization before a script is sent */
  before(organizationId: string): Known {
    const floor = this.floors.get(organizationId)
    const isRecent = floor !== undefined && this.options.clock.monotonicMs() - floor.atMs < FLOOR_MS
    return { generation: this.last, sequence: isRecent ? floor.sequence : 0 }
  }

  /**
   * Takes note of what a script answered.
   *
   * @returns whether the store was what it had been; compared with what was known when the script was sent, for
   *   answers may be heard of in another order than they were given
   */
  after(organizationId: string, sequence: number, known: Known): boolean {
    if (sequence < known.sequence) return false
    if (known.generation !== this.last) return true
    const floor = this.floors.get(organizationId)
    if (floor === undefined && this.floors.size >= FLOORS_MAX) {
      const [oldest] = this.floors.keys()
      if (oldest !== undefined) this.floors.delete(oldest)
    }
    const atMs = this.options.clock.monotonicMs()
    this.floors.set(organizationId, { sequence: Math.max(sequence, floor?.sequence ?? 0), atMs })
    return true
  }

  /** To be called with every write: once a second it is counted among those of all processes. Never waits. */
  beat(): void {
    const nowMs = this.options.clock.monotonicMs()
    if (nowMs - this.beatMs < BEAT_MS) return
    this.beatMs = nowMs
    const { client } = this.options
    const { last, highest } = this
    Promise.all([client.incr(this.sequenceKey), client.get(this.generationKey)])
      .then(async ([sequence, generation]) => {
        if (generation !== null) this.learn(generation)
        if (generation !== null && generation === last && sequence <= highest) await this.renew(generation)
        else this.highest = Math.max(this.highest, sequence)
        if (this.known === undefined) await this.ask()
      })
      .catch(() => {
        // The store is away: whoever needs it hears of that from the call that needs it.
        this.beatMs = Number.NEGATIVE_INFINITY
      })
  }

  close(): void {
    this.options.client.off('ready', this.onConnection)
    this.options.client.off('close', this.onConnection)
  }

  private async load(): Promise<string> {
    const { client } = this.options
    const fresh = await this.name()
    const { last, highest } = this
    const [stored, sequence] = await Promise.all([
      client.set(this.generationKey, fresh, 'NX', 'GET'),
      this.sequence(),
    ])
    const generation = this.learn(stored ?? fresh)
    // Compared with what was known when it was asked: meanwhile another answer may have come.
    const isOlder = generation === last && sequence < highest
    this.highest = Math.max(this.highest, sequence)
    if (this.known === generation && !isOlder) return generation
    const renewed = await this.renew(generation)
    if (this.known !== renewed) throw redisUnavailable('The generation of the counters changes too often.')
    return renewed
  }

  /** @returns a new name for a generation of the server that we are connected to */
  private async name(): Promise<string> {
    const { client, newId } = this.options
    if (this.server === undefined) this.server = client.isCluster ? '' : await runIdOf(client)
    return `${newId()}@${this.server}`
  }

  /** What was seen under another generation says nothing of this one. */
  private learn(generation: string): string {
    if (generation !== this.last) {
      this.floors.clear()
      this.highest = 0
      this.options.onChange()
    }
    this.last = generation
    const isOfServer = this.server === '' || this.server === serverOf(generation)
    this.known = isOfServer ? generation : undefined
    return generation
  }
}

function serverOf(generation: string): string {
  return generation.slice(generation.lastIndexOf('@') + 1)
}

/**
 * @returns the `run_id` of `INFO server`: random, and another one after each start (https://redis.io/commands/info);
 *   nothing where we may not ask
 */
async function runIdOf(client: RedisClient): Promise<string> {
  try {
    return /^run_id:(\w+)/m.exec(await client.info('server'))?.[1] ?? ''
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return ''
    throw error
  }
}
