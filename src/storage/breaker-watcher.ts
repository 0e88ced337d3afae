import type { BreakerState } from '../routing/breakers/ports.ts'
import type { Database } from './database.ts'

/** The channel that the trigger on `circuit_breaker_orders` speaks on: a provider's name. */
const CHANNEL = 'gatehouse_breakers'
/** While notifications are interrupted. */
const POLL_MS = 1000
/** There is one for each provider that ever had one. */
const ORDERS_MAX = 1000

interface OrderRecord {
  readonly provider: string
  readonly state: BreakerState
  /** To the microsecond, as text: two orders may share a millisecond. */
  readonly ordered_at: string
}

/**
 * Calls back with every order of an operator, wherever it was given; at first with those that hold a provider open.
 * Orders are few, so all are read whenever one may be new.
 *
 * @returns stops watching
 * @throws GatewayError `storage_unavailable`
 */
export async function watchBreakerOrders(
  database: Database,
  onOrder: (provider: string, state: BreakerState) => void,
): Promise<() => Promise<void>> {
  const seen = new Map<string, string>()
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let again = false
  let isInterrupted = false

  async function read(isNew: (order: OrderRecord) => boolean): Promise<void> {
    const { rows } = await database.query<OrderRecord>(
      `SELECT provider, state, ordered_at::text FROM circuit_breaker_orders ORDER BY ordered_at DESC LIMIT $1`,
      [ORDERS_MAX],
    )
    for (const order of rows) {
      if (stopped || seen.get(order.provider) === order.ordered_at) continue
      seen.set(order.provider, order.ordered_at)
      if (isNew(order)) onOrder(order.provider, order.state)
    }
  }
  /** One read at a time; what is asked for meanwhile is read after it. */
  function look(): void {
    again = true
    reading ??= lookAgain().finally(() => {
      reading = undefined
    })
  }
  async function lookAgain(): Promise<void> {
    while (again && !stopped) {
      again = false
      try {
        await read(() => true)
        if (!isInterrupted) stopPolling()
      } catch {
        poll()
      }
    }
  }
  function poll(): void {
    if (stopped) return
    timer ??= setInterval(look, POLL_MS).unref()
  }
  function stopPolling(): void {
    clearInterval(timer)
    timer = undefined
  }

  const stopListening = await database.listen(
    CHANNEL,
    look,
    () => {
      isInterrupted = false
      look()
    },
    () => {
      isInterrupted = true
      poll()
    },
  )
  try {
    await read(({ state }) => state === 'open')
  } catch (error) {
    await stopListening()
    throw error
  }
  return async () => {
    stopped = true
    stopPolling()
    await stopListening()
    await reading
  }
}
