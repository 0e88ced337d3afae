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

/** A client waits for its reply: what takes longer is in memory for the time being, as when the disk fails. */
const PATIENCE_MS = 50

/** All who wait for one handover share one promise. */
export function createHandoverWaits(): HandoverWaits {
  let next: Wait | undefined
  let current: Wait | undefined
  let timer: NodeJS.Timeout | undefined
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
      timer = setTimeout(() => {
        late = true
        letGo()
      }, PATIENCE_MS)
    },
    end() {
      clearTimeout(timer)
      late = false
      current?.resolve()
      current = undefined
    },
    giveUp: letGo,
  }
}
