import pg from 'pg'
import type { NotificationHandler } from './database.ts'

export interface Subscription {
  readonly handler: NotificationHandler
  readonly onReconnect: (() => void) | undefined
  readonly onLost: (() => void) | undefined
}

/** Who listens to which channel of one database. */
export interface Subscriptions {
  /** @returns whether the channel had no listener before; `stop` says whether it has none any more */
  add(channel: string, subscription: Subscription): { readonly first: boolean; readonly stop: () => boolean }
  channels(): readonly string[]
  dispatch(channel: string, payload: string): void
  lost(): void
  /** Does nothing unless the connection was `lost` before. */
  reconnected(): void
}

export function createSubscriptions(): Subscriptions {
  const byChannel = new Map<string, Set<Subscription>>()
  let isLost = false
  const each = (call: (subscription: Subscription) => void) => {
    for (const set of [...byChannel.values()]) for (const subscription of [...set]) call(subscription)
  }

  return {
    add(channel, subscription) {
      const set = byChannel.get(channel) ?? new Set()
      const first = set.size === 0
      byChannel.set(channel, set.add(subscription))
      const stop = () => {
        const removed = set.delete(subscription)
        if (!removed || set.size > 0) return false
        byChannel.delete(channel)
        return true
      }
      return { first, stop }
    },
    channels: () => [...byChannel.keys()],
    dispatch(channel, payload) {
      for (const { handler } of [...(byChannel.get(channel) ?? [])]) handler(payload)
    },
    lost() {
      if (isLost) return
      isLost = true
      each(({ onLost }) => onLost?.())
    },
    reconnected() {
      if (!isLost) return
      isLost = false
      each(({ onReconnect }) => onReconnect?.())
    },
  }
}

/** LISTEN takes no parameters. */
export function quoteChannel(channel: string): string {
  return pg.escapeIdentifier(channel)
}
