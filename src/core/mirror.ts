/** A store's rows held in memory and kept fresh. */
export interface MirrorOptions {
  /** Reads everything anew. */
  readonly load: () => Promise<void>
  /**
   * Begins to follow changes, and calls `onReload` where some may have been missed.
   *
   * @returns stops following
   */
  readonly watch: (onReload: () => void) => Promise<() => Promise<void>>
  /** A reload failed; what was known so far stays until the next try. */
  readonly onError: (error: unknown) => void
}

export interface Mirror {
  close(): Promise<void>
}

/** A reload that failed leaves what is outdated in force, so it is soon tried again. */
const RETRY_MS = 1000

/**
 * Loads and follows changes from then on, one load at a time.
 *
 * @returns once everything is there
 * @throws what the first load throws; then nothing is followed
 */
export async function openMirror({ load, watch, onError }: MirrorOptions): Promise<Mirror> {
  // The first load is under way from the start.
  let loading = true
  let asked = false
  let closed = false
  let timer: NodeJS.Timeout | undefined

  /** What is asked for during a load is done after it. */
  async function reload(): Promise<void> {
    asked = true
    if (loading) return
    loading = true
    clearTimeout(timer)
    try {
      while (asked && !closed) {
        asked = false
        await load()
      }
    } catch (error) {
      onError(error)
      if (!closed) timer = setTimeout(reload, RETRY_MS).unref()
    } finally {
      loading = false
    }
  }

  // Watching begins before loading, so that no change falls between the two.
  const stop = await watch(() => void reload())
  async function close(): Promise<void> {
    closed = true
    clearTimeout(timer)
    await stop()
  }
  try {
    await load()
  } catch (error) {
    await close()
    throw error
  }
  loading = false
  if (asked) await reload()
  return { close }
}
