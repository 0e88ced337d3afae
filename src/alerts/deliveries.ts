import { GatewayError } from '../core/errors.ts'
import type { AlertMessage, Channel } from './channels/channel.ts'
import type { AlertStore, DueDelivery } from './ports.ts'

export interface DeliveriesOptions {
  readonly store: Pick<AlertStore, 'claimDeliveries' | 'markDelivered' | 'markFailed'>
  readonly channels: () => ReadonlyMap<string, Channel>
  readonly now: () => number
  readonly onFailed: (due: DueDelivery, reason: string) => void
  readonly onError: (error: unknown) => void
  readonly signal: AbortSignal
}

/** What one channel is handed at once. */
const BATCH_MAX = 10
/** Ten messages to a receiver that does not answer take less; a process that died is waited for this long. */
const CLAIM_MS = 120_000
/** With the pauses below, the last attempt is about an hour after the first. */
const ATTEMPTS_MAX = 14
const PAUSE_FIRST_MS = 2000
const PAUSE_MAX_MS = 15 * 60_000

/** @returns how long to wait after so many attempts: 2 s, 4 s, 8 s … 15 min; `undefined` = no more */
export function pauseMsAfter(attempts: number): number | undefined {
  if (attempts >= ATTEMPTS_MAX) return undefined
  return Math.min(PAUSE_FIRST_MS * 2 ** (attempts - 1), PAUSE_MAX_MS)
}

/** Makes deliveries that are due. Each channel works on its own: a dead one delays no other. */
export interface Deliveries {
  /** @returns once nothing is due any more, and nothing under way */
  run(): Promise<void>
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { store, signal } = options
  const busy = new Map<string, Promise<void>>()
  let isWanted = false
  let claiming: Promise<void> | undefined

  /** One at a time; who asks meanwhile is looked for again, since what is new may have come too late for this one. */
  function claim(): Promise<void> {
    isWanted = true
    claiming ??= claimAll().finally(() => {
      claiming = undefined
    })
    return claiming
  }

  async function claimAll(): Promise<void> {
    while (isWanted && !signal.aborted) {
      isWanted = false
      try {
        const now = new Date(options.now())
        const due = await store.claimDeliveries(now, CLAIM_MS, [...busy.keys()], BATCH_MAX)
        for (const [channel, each] of Map.groupBy(due, (one) => one.channel)) start(channel, each)
        if (due.length > 0) isWanted = true
      } catch (error) {
        options.onError(error)
        return
      }
    }
  }

  function start(channel: string, due: readonly DueDelivery[]): void {
    const done = deliverInOrder(due)
      .catch(options.onError)
      .then(() => {
        busy.delete(channel)
        return claim()
      })
    busy.set(channel, done)
  }

  async function deliverInOrder(due: readonly DueDelivery[]): Promise<void> {
    for (const each of due) {
      const failure = await tryToSend(options.channels().get(each.channel), each, signal)
      const name = { alertId: each.alert.id, moment: each.moment, channel: each.channel }
      const at = options.now()
      if (failure === undefined) {
        await store.markDelivered(name, new Date(at))
      } else if (signal.aborted) {
        // Whoever is closing leaves it to others.
        await store.markFailed(name, failure, new Date(at))
      } else {
        const pauseMs = pauseMsAfter(each.attempts)
        await store.markFailed(name, failure, pauseMs === undefined ? null : new Date(at + pauseMs))
        options.onFailed(each, failure)
      }
    }
  }

  return {
    async run() {
      await claim()
      while (busy.size > 0 || claiming !== undefined) await Promise.all([...busy.values(), claiming])
    },
  }
}

/** @returns what went wrong */
export async function tryToSend(
  channel: Channel | undefined,
  message: AlertMessage,
  signal: AbortSignal,
): Promise<string | undefined> {
  // Replicas may have read a changed configuration at different moments, so this too is tried again.
  if (channel === undefined) return 'This channel is not configured any more.'
  try {
    await untilAborted(channel.send(message, signal), signal)
    return undefined
  } catch (error) {
    // Words that are not ours may hold an address.
    return error instanceof GatewayError ? error.message : 'The message could not be made.'
  }
}

function untilAborted(sending: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>()
  const stop = () => aborted.reject(new GatewayError('overloaded', { message: 'The gateway is closing.' }))
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  return Promise.race([sending, aborted.promise]).finally(() => signal.removeEventListener('abort', stop))
}
