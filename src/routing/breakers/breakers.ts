import type { Clock } from '../../core/clock.ts'
import { type BreakerBoard, createBreakerBoard } from './board.ts'
import type { BreakerSettings } from './breaker.ts'
import type { BreakerFeed, BreakerRecord, BreakerState, BreakerTable, ProviderBreaker } from './ports.ts'

export interface BreakersOptions {
  readonly settings: BreakerSettings
  /** @returns names of the providers in force */
  readonly providers: () => readonly string[]
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Breakers of all replicas; `undefined` = this process is alone. */
  readonly feed: BreakerFeed | undefined
  readonly table: BreakerTable
  /** Hears of every change of this process's own. */
  readonly onChange?: ((record: BreakerRecord) => void) | undefined
  /** Once each time that something begins to fail. */
  readonly onError: (error: unknown, what: string) => void
}

/** The breakers of this process, joined to those of the others and to what operators see and say. */
export interface Breakers {
  readonly board: BreakerBoard
  /** Whether other replicas can be told; `undefined` where there are none. */
  readonly isShared: boolean | undefined
  /** Does what an operator says, here at once, and leaves word for all others; never rejects. */
  force(provider: string, state: BreakerState): Promise<void>
  close(): Promise<void>
}

const TICK_MS = 1000

/** @throws GatewayError `storage_unavailable` where operators' orders cannot be read */
export async function openBreakers(options: BreakersOptions): Promise<Breakers> {
  const { feed, table, providers, onError } = options
  const board = createBreakerBoard({
    settings: options.settings,
    clock: options.clock,
    random: options.random,
    onChange(record) {
      feed?.publish(record)
      options.onChange?.(record)
    },
  })
  const writer = createWriter(table, onError)
  const orders = new Set<Promise<void>>()

  function leaveWord(provider: string, state: BreakerState, repeat: boolean): Promise<void> {
    const order = table
      .order(provider, state, repeat)
      .catch((error: unknown) => onError(error, 'an order to a breaker could not be left to other processes'))
    orders.add(order)
    return order.finally(() => orders.delete(order))
  }

  const stopWatching = await table.watch((provider, state) => board.force(provider, state))
  await feed?.follow({
    providers,
    current: (provider) => board.state(provider),
    onRecord: (record) => board.apply(record),
    onOrder(provider, state) {
      board.force(provider, state)
      // An order that stands in the table would otherwise come back with the next start.
      void leaveWord(provider, state, false)
    },
  })
  function tick(): void {
    board.tick()
    void writer.write(providers().map((provider) => board.state(provider)))
  }
  tick()
  const timer = setInterval(tick, TICK_MS).unref()

  return {
    board,
    get isShared() {
      return feed?.isReady
    },
    async force(provider, state) {
      board.force(provider, state)
      await leaveWord(provider, state, true)
    },
    async close() {
      clearInterval(timer)
      await stopWatching()
      await Promise.all(orders)
      await writer.idle()
      await feed?.close()
    },
  }
}

/** Writes what differs from what was written last, one write at a time; what is not taken is offered again. */
function createWriter(table: BreakerTable, onError: BreakersOptions['onError']) {
  const written = new Map<string, string>()
  let writing: Promise<void> | undefined
  let isFailing = false

  async function writeChanged(breakers: readonly ProviderBreaker[]): Promise<void> {
    const texts = new Map(breakers.map((breaker) => [breaker.provider, toText(breaker)]))
    const changed = breakers.filter(({ provider }) => written.get(provider) !== texts.get(provider))
    if (changed.length === 0) return
    try {
      await table.write(changed)
      for (const { provider } of changed) written.set(provider, texts.get(provider) ?? '')
      isFailing = false
    } catch (error) {
      if (!isFailing) onError(error, 'the state of breakers could not be written, trying again')
      isFailing = true
    }
  }

  return {
    async write(breakers: readonly ProviderBreaker[]): Promise<void> {
      if (writing !== undefined) return
      writing = writeChanged(breakers).finally(() => {
        writing = undefined
      })
      await writing
    },
    idle: () => writing ?? Promise.resolve(),
  }
}

/** Moments are left out where they are made anew at each look, by clocks that do not go alike to the millisecond. */
function toText({ targets, ...own }: ProviderBreaker): string {
  const plain = ({ provider, model, state, failures, reason, pausedUntilMs }: BreakerRecord) => [
    provider,
    model,
    state,
    failures,
    reason,
    pausedUntilMs !== undefined,
  ]
  return JSON.stringify([plain(own), own.level, own.byOperator, targets.map(plain)])
}
