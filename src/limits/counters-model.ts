import type { Amounts, Meter, MeterState, Quantity, TakeResult } from './ports.ts'

const DAY_MS = 86_400_000

interface ModelWindow {
  readonly meterId: string
  readonly periodStartMs: number | undefined
  readonly openedMs: number
  endMs: number
  limit: number | null
  used: number
}

interface ModelPart {
  readonly meter: Meter
  readonly window: ModelWindow
  amount: number
}

interface ModelHold {
  readonly parts: ModelPart[]
  readonly meters: readonly Meter[]
  readonly note: string | undefined
  leaseEndsMs: number
}

/**
 * What counters do, written for reading and not for speed: every window that ever was is kept in a list, and what is
 * held in one is summed up over all holds whenever it is asked for. One organization, one thing after the other.
 */
export class CountersModel {
  nowMs: number
  readonly holds = new Map<string, ModelHold>()
  private readonly windows: ModelWindow[] = []
  /** When each name was adjusted last. */
  private readonly adjusted = new Map<string, number>()

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  take(
    holdId: string,
    meters: readonly Meter[],
    amounts: Amounts,
    leaseMs: number,
    note?: string,
  ): TakeResult {
    if (this.holds.has(holdId)) return { granted: true, states: this.read(meters) }
    for (const meter of meters) {
      const window = this.openOf(meter)
      if (window !== undefined)
        Object.assign(window, { limit: meter.limit, endMs: endOf(meter, window.openedMs) })
    }
    const steps = meters.map((meter) => ({
      meter,
      window: this.openOf(meter),
      limit: meter.limit,
      amount: meter.quantity === 'concurrency' ? 1 : amounts[meter.quantity],
    }))
    const refusal = this.refusalOf(steps)
    if (refusal !== undefined) return { ...refusal, states: this.read(meters) }
    const parts = steps.map(({ meter, window, amount }) => ({
      meter,
      window: window ?? this.open(meter),
      amount,
    }))
    this.holds.set(holdId, { parts, meters, note, leaseEndsMs: this.nowMs + leaseMs })
    return { granted: true, states: this.read(meters) }
  }

  grow(holdId: string, more: Amounts, leaseMs: number): TakeResult | undefined {
    const hold = this.holds.get(holdId)
    if (hold === undefined) return undefined
    const steps = hold.meters.map((meter) => {
      const window = this.stored(meter)
      const amount = meter.quantity === 'concurrency' ? 0 : more[meter.quantity]
      return { meter, window, limit: window === undefined ? meter.limit : window.limit, amount }
    })
    const refusal = this.refusalOf(steps)
    if (refusal === undefined) {
      for (const step of steps) {
        if (step.amount === 0) continue
        step.window ??= this.open(step.meter)
        hold.parts.push({ meter: step.meter, window: step.window, amount: step.amount })
      }
      hold.leaseEndsMs = this.nowMs + leaseMs
    }
    const states = steps.map(({ meter, window, limit }) => ({
      ...this.stateOf(meter, window),
      limit,
      resetsAtMs: window === undefined ? this.stateOf(meter, undefined).resetsAtMs : finite(window.endMs),
    }))
    return refusal === undefined ? { granted: true, states } : { ...refusal, states }
  }

  /** @param actual `undefined` = it is released */
  end(holdId: string, actual: Amounts | undefined): boolean {
    const hold = this.holds.get(holdId)
    if (hold === undefined) return false
    this.holds.delete(holdId)
    if (actual === undefined) return true
    for (const meter of hold.meters) {
      const parts = hold.parts.filter((part) => part.meter === meter)
      let left = meter.quantity === 'concurrency' ? 0 : actual[meter.quantity]
      for (const [index, part] of parts.entries()) {
        if (meter.quantity === 'requests') part.window.used += part.amount
        else {
          // The last of its windows takes what the earlier ones had not been promised.
          const isLast = parts.slice(index + 1).every(({ window }) => window === part.window)
          const share = isLast ? left : Math.min(left, part.amount)
          part.window.used += share
          left -= share
        }
      }
    }
    return true
  }

  assign(meter: Meter, used: number): void {
    let window = this.openOf(meter)
    if (meter.quantity === 'concurrency' || (window === undefined && used === 0)) return
    window ??= this.open(meter)
    Object.assign(window, { limit: meter.limit, endMs: endOf(meter, window.openedMs), used })
  }

  adjust(meter: Meter, delta: number, id: string | undefined): void {
    const name = `${meter.id} ${periodOf(meter)?.startMs} ${id}`
    const doneMs = this.adjusted.get(name)
    if (id !== undefined && doneMs !== undefined && doneMs + DAY_MS > this.nowMs) return
    this.adjusted.set(name, this.nowMs)
    this.assign(meter, Math.max(0, (this.openOf(meter)?.used ?? 0) + delta))
  }

  read(meters: readonly Meter[]): MeterState[] {
    return meters.map((meter) => this.stateOf(meter, this.openOf(meter)))
  }

  private stateOf(meter: Meter, window: ModelWindow | undefined): MeterState {
    const endMs = window === undefined ? periodOf(meter)?.endMs : endOf(meter, window.openedMs)
    return {
      id: meter.id,
      limit: meter.limit,
      used: window?.used ?? 0,
      held: window === undefined ? 0 : this.heldIn(window),
      resetsAtMs: endMs === undefined ? null : finite(endMs),
    }
  }

  private refusalOf(
    steps: readonly {
      meter: Meter
      window: ModelWindow | undefined
      limit: number | null
      amount: number
    }[],
  ): { granted: false; refusedBy: string; retryAfterMs: number | null } | undefined {
    let latest: { meter: Meter; waitMs: number } | undefined
    for (const { meter, window, limit, amount } of steps) {
      const taken = window === undefined ? 0 : window.used + this.heldIn(window)
      if (limit === null || amount === 0 || taken + amount <= limit) continue
      const endMs = window?.endMs ?? Number.POSITIVE_INFINITY
      const untilOpenMs = endMs === Number.POSITIVE_INFINITY ? -1 : Math.max(0, endMs - this.nowMs)
      const waitMs = amount > limit ? Number.POSITIVE_INFINITY : untilOpenMs
      if (latest === undefined || waitMs > latest.waitMs) latest = { meter, waitMs }
    }
    if (latest === undefined) return undefined
    const { meter, waitMs } = latest
    return { granted: false, refusedBy: meter.id, retryAfterMs: waitMs < 0 ? null : finite(waitMs) }
  }

  private heldIn(window: ModelWindow): number {
    let held = 0
    for (const { parts } of this.holds.values()) {
      for (const part of parts) if (part.window === window) held += part.amount
    }
    return held
  }

  /** The window that is there, by the length that it was last named with. */
  private stored(meter: Meter): ModelWindow | undefined {
    const start = periodOf(meter)?.startMs
    const window = this.windows.findLast(
      ({ meterId, periodStartMs }) => meterId === meter.id && periodStartMs === start,
    )
    return window !== undefined && goneOf(meter, window.openedMs, window.endMs) > this.nowMs
      ? window
      : undefined
  }

  /** The window that is there, if it is open by the length that the meter names now. */
  private openOf(meter: Meter): ModelWindow | undefined {
    const window = this.stored(meter)
    if (window === undefined) return undefined
    return goneOf(meter, window.openedMs, endOf(meter, window.openedMs)) > this.nowMs ? window : undefined
  }

  private open(meter: Meter): ModelWindow {
    const window: ModelWindow = {
      meterId: meter.id,
      periodStartMs: periodOf(meter)?.startMs,
      openedMs: this.nowMs,
      endMs: endOf(meter, this.nowMs),
      limit: meter.limit,
      used: 0,
    }
    this.windows.push(window)
    return window
  }
}

function periodOf({ quantity, window }: { quantity: Quantity; window: Meter['window'] }) {
  return quantity !== 'concurrency' && window.kind === 'period' ? window : undefined
}

function endOf({ quantity, window }: Meter, openedMs: number): number {
  if (quantity === 'concurrency' || window.kind === 'none') return Number.POSITIVE_INFINITY
  return window.kind === 'rolling' ? openedMs + window.ms : window.endMs
}

function goneOf(meter: Meter, openedMs: number, endMs: number): number {
  return periodOf(meter) === undefined ? endMs : Math.max(endMs, openedMs) + DAY_MS
}

function finite(ms: number): number | null {
  return ms === Number.POSITIVE_INFINITY ? null : ms
}
