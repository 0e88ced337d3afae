/** A place in the queue of an organization, kept until it is left. */
export interface Ticket {
  /**
   * Waits for a turn: when something may have become free of the meter that stands in the way, and nobody before waits
   * for the same.
   *
   * @returns false once the ticket's time is up
   */
  turn(blockedBy: string): Promise<boolean>
  /** Leaves the queue, with what was waited for or without it. */
  leave(): void
}

interface Place extends Ticket {
  blockedBy: string
  /** Present while it waits. */
  wake: ((isTime: boolean) => void) | undefined
}

/** Between two looks for room that nobody announced: a window that ended, a call that ended in another replica. */
const LOOK_MS = 25

/**
 * Queues for room under limits, one for each organization, in the order of arrival: whoever came first is asked first,
 * and nobody is passed by a later call that needs the same meter. Calls that wait for different meters do not wait for
 * each other.
 */
export class WaitingRoom {
  private readonly queues = new Map<string, Place[]>()
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  /** @returns how many calls of an organization wait */
  waiting(organizationId: string): number {
    return this.queues.get(organizationId)?.length ?? 0
  }

  /** @returns the first meter on whose account somebody waits already, among those that `covers` knows */
  blockedBy(organizationId: string, covers: (meterId: string) => boolean): string | undefined {
    return this.queues.get(organizationId)?.find(({ blockedBy }) => covers(blockedBy))?.blockedBy
  }

  /** @param signal ends the wait early, as if its time were up */
  join(organizationId: string, timeoutMs: number, signal: AbortSignal): Ticket {
    let isTime = true
    const queue = this.queues.get(organizationId) ?? []
    const end = () => {
      isTime = false
      wake(place, false)
    }
    const deadline = setTimeout(end, timeoutMs)
    signal.addEventListener('abort', end, { once: true })
    const place: Place = {
      blockedBy: '',
      wake: undefined,
      turn: (blockedBy) => {
        place.blockedBy = blockedBy
        if (!isTime || signal.aborted || this.isClosed) return Promise.resolve(false)
        return new Promise((resolve) => {
          place.wake = resolve
        })
      },
      leave: () => {
        clearTimeout(deadline)
        signal.removeEventListener('abort', end)
        wake(place, false)
        const index = queue.indexOf(place)
        if (index < 0) return
        queue.splice(index, 1)
        if (queue.length === 0) this.queues.delete(organizationId)
        else this.look(organizationId)
        if (this.queues.size === 0) this.stop()
      },
    }
    queue.push(place)
    this.queues.set(organizationId, queue)
    this.timer ??= setInterval(() => this.lookEverywhere(), LOOK_MS)
    return place
  }

  /** Something became free in an organization: whoever waits first for each meter has a turn. */
  look(organizationId: string): void {
    const queue = this.queues.get(organizationId)
    if (queue === undefined) return
    const asked = new Set<string>()
    for (const place of queue) {
      if (asked.has(place.blockedBy)) continue
      asked.add(place.blockedBy)
      wake(place, true)
    }
  }

  /** Nobody waits any longer, or again. */
  close(): void {
    this.isClosed = true
    for (const queue of [...this.queues.values()]) for (const place of [...queue]) wake(place, false)
    this.stop()
  }

  private lookEverywhere(): void {
    for (const organizationId of this.queues.keys()) this.look(organizationId)
  }

  private stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }
}

function wake(place: Place, isTurn: boolean): void {
  const { wake: resolve } = place
  place.wake = undefined
  resolve?.(isTurn)
}
