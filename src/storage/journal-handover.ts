/** Replies that wait until their rows have left this process. */
export interface HandoverWaits {
  /** @param isWaiting whether rows wait for the next handover; else for the one under way */
  wait(isWaiting: boolean): Promise<void> | undefined
  /** A handover begins. @param isPart whether rows of this turn stay behind, for the next one */
  begin(isPart: boolean): void
  /** The handover that began could not be done at once: from now on nobody waits for it for long. */
  limit(): void
  /** It is done, or has failed. */
  end(): void
  /** Lets all of them go. */
  giveUp(): void
}

type Wait = ReturnType<typeof Promise.withResolvers<void>>

/**
 * A client waits for its reply. What takes longer is in memory for the time being, as when the disk fails; a machine
 * that is merely busy takes less.
 */
const PATIENCE_MS = 250

/** All who wait for one handover share one promise. */
export function createHandoverWaits(): HandoverWaits {
  let next: Wait | undefined
  let current: Wait | undefined
  let timer: NodeJS.Timeout | undefined
  /** How many handovers are over. */
  let ended = 0
  /** The handover under way has had its time. */
  let late = false

  function letGo(): void {
    current?.resolve()
    next?.resolve()
    current = undefined
    next = undefined
  }

  return {
    wait(isWaiting) {
      if (late) return undefined
      if (isWaiting) next ??= Promise.withResolvers()
      else current ??= Promise.withResolvers()
      return (isWaiting ? next : current)?.promise
    },
    begin(isPart) {
      if (isPart) return
      current = next
      next = undefined
    },
    limit() {
      const begun = ended
      timer = setTimeout(() => {
        // Where this process was held up itself, it is done, and nobody has heard of it yet: timers come first.
        setImmediate(() => {
          if (ended > begun) return
          late = true
          letGo()
        })
      }, PATIENCE_MS)
    },
    end() {
      clearTimeout(timer)
      ended++
      late = false
      current?.resolve()
      current = undefined
    },
    giveUp: letGo,
  }
}
