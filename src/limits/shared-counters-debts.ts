import type { Amounts, Counters, Meter } from './ports.ts'
import { keyOf, type OpenCall } from './shared-counters-calls.ts'
import { isAway } from './shared-counters-error.ts'
import { meterKey } from './shared-counters-share.ts'

/** What waits for the shared counters to come back, of each kind. */
const WAITING_MAX = 10_000
const AT_ONCE = 64

/** What was used of a meter and is not in the shared counters. */
interface Debt {
  /** Under which it is booked once; `undefined` = not sent yet, so more may be added. */
  id: string | undefined
  readonly organizationId: string
  readonly meter: Meter
  amount: number
  /** Unix milliseconds when the window ends that it belongs to; `Infinity` = never. */
  expiresMs: number
}

/** The end of a hold in the shared counters that could not be told to them. */
export interface WaitingEnd {
  readonly organizationId: string
  readonly holdId: string
  /** `undefined` = it is released. */
  readonly actual: Amounts | undefined
  /** Of this process, where it knows of it. */
  readonly call: OpenCall | undefined
  /** Unix milliseconds from when on another process may have ended it in the meantime, as if it were abandoned. */
  readonly leaseEndsMs?: number
}

export interface DebtsOptions {
  readonly shared: Counters
  readonly newId: () => string
  /** What is owed for this organization could not be kept. */
  readonly onDropped: (organizationId: string) => void
}

/** What the shared counters have to be told once they are back. */
export class Debts {
  private readonly options: DebtsOptions
  private readonly debts = new Map<string, Debt>()
  private readonly sent = new Set<Debt>()
  private readonly ends = new Map<string, WaitingEnd>()

  constructor(options: DebtsOptions) {
    this.options = options
  }

  get size(): number {
    return this.debts.size + this.sent.size + this.ends.size
  }

  /** @param id under which it may have been booked already */
  owe(organizationId: string, meter: Meter, amount: number, expiresMs: number, id?: string): void {
    if (amount === 0 || meter.quantity === 'concurrency') return
    const key = meterKey(organizationId, meter)
    const known = id === undefined ? this.debts.get(key) : undefined
    if (known !== undefined) {
      known.amount += amount
      known.expiresMs = Math.max(known.expiresMs, expiresMs)
    } else if (this.debts.size + this.sent.size >= WAITING_MAX) {
      this.options.onDropped(organizationId)
    } else {
      const debt = { id, organizationId, meter, amount, expiresMs }
      if (id === undefined) this.debts.set(key, debt)
      else this.sent.add(debt)
    }
  }

  /** @returns whether it is kept; a second end of the same hold is nothing */
  end(end: WaitingEnd): boolean {
    const key = keyOf(end.organizationId, end.holdId)
    if (this.ends.has(key) || this.ends.size >= WAITING_MAX) return false
    this.ends.set(key, end)
    return true
  }

  isEnding(organizationId: string, holdId: string): boolean {
    return this.ends.size > 0 && this.ends.has(keyOf(organizationId, holdId))
  }

  get isFull(): boolean {
    return this.ends.size >= WAITING_MAX
  }

  /**
   * Books what is owed, each once, whatever becomes of the answers.
   *
   * @throws GatewayError `storage_unavailable`; what is not known to be booked waits for the next time
   */
  async book(nowMs: number): Promise<void> {
    for (const [key, debt] of this.debts) {
      this.debts.delete(key)
      debt.id = this.options.newId()
      this.sent.add(debt)
    }
    await inGroups([...this.sent], async (debt) => {
      // The window that it belongs to is over, and its share with it.
      try {
        if (debt.expiresMs > nowMs) {
          await this.options.shared.adjust(debt.organizationId, debt.meter, debt.amount, debt.id)
        }
      } catch (error) {
        this.drop(error, debt.organizationId)
      }
      this.sent.delete(debt)
    })
  }

  /**
   * Ends the holds whose ends wait.
   *
   * @param onEnded hears of each whether there was such a hold
   * @throws GatewayError `storage_unavailable`; the rest waits for the next time
   */
  async tell(onEnded: (end: WaitingEnd, wasHeld: boolean) => void): Promise<void> {
    const { shared } = this.options
    await inGroups([...this.ends], async ([key, end]) => {
      const { organizationId, holdId, actual } = end
      let wasHeld = true
      try {
        wasHeld =
          actual === undefined
            ? await shared.release(organizationId, holdId)
            : await shared.settle(organizationId, holdId, actual)
      } catch (error) {
        this.drop(error, organizationId)
      }
      this.ends.delete(key)
      onEnded(end, wasHeld)
    })
  }

  /** What fails for another reason than that nobody answers would fail for ever. */
  private drop(error: unknown, organizationId: string): void {
    if (isAway(error)) throw error
    this.options.onDropped(organizationId)
  }
}

/** Does the work for all items, some at a time; after a failure no more are begun. */
export async function inGroups<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const results = await Promise.allSettled(items.slice(start, start + AT_ONCE).map(work))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}
