import type { Clock } from '../core/clock.ts'

export interface GroupSyncOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Makes durable what was written before; a disk has some hundred of these a second to do. */
  readonly sync: () => Promise<void>
  /** Between the beginnings of two, so that writes share them. */
  readonly gapMs: number
}

/** Makes writes durable in groups (group commit). What comes after a pause does not wait. */
export interface GroupSync {
  /** @returns once everything written before is durable; rejects where that, or what was before it, is not */
  request(): Promise<void>
}

export function createGroupSync({ clock, sync, gapMs }: GroupSyncOptions): GroupSync {
  let next: ReturnType<typeof Promise.withResolvers<void>> | undefined
  let timer: NodeJS.Timeout | undefined
  let isRunning = false
  let startedMs = Number.NEGATIVE_INFINITY

  function schedule(): void {
    if (isRunning || timer !== undefined || next === undefined) return
    const delayMs = startedMs + gapMs - clock.monotonicMs()
    if (delayMs > 0) timer = setTimeout(start, delayMs)
    else start()
  }

  function start(): void {
    timer = undefined
    void run()
  }

  function take() {
    const group = next
    next = undefined
    return group
  }

  async function run(): Promise<void> {
    const group = take()
    isRunning = true
    startedMs = clock.monotonicMs()
    try {
      await sync()
      group?.resolve()
    } catch (error) {
      group?.reject(error)
      // What was written meanwhile is given up with what was before it.
      take()?.reject(error)
    } finally {
      isRunning = false
      schedule()
    }
  }

  return {
    request() {
      next ??= Promise.withResolvers()
      // Else `start` would take it before it is returned.
      const { promise } = next
      schedule()
      return promise
    },
  }
}
