import type { Logger } from '../telemetry/logger.ts'

/** Ends something that was started; later ones are ended first. */
export type Closer = () => Promise<void>

/** What was started so far, so that a failure in between leaves nothing behind. */
export class Opened {
  private readonly closers: Closer[] = []

  add(closer: Closer): void {
    this.closers.push(closer)
  }

  /** Ends everything, the newest first. What cannot be ended does not keep the others from theirs. */
  async close(onError: (error: unknown) => void): Promise<void> {
    for (let closer = this.closers.pop(); closer !== undefined; closer = this.closers.pop()) {
      await closer().catch(onError)
    }
  }
}

export interface StopOptions {
  readonly logger: Logger
  /** Lets calls in flight finish, then ends everything. */
  readonly drain: () => Promise<void>
  /** Ends calls in flight now; `drain` goes on from there. */
  readonly cut: () => void
}

// A terminal signals every process in front of it, and npm and our launcher hand on what they get: signals that come
// together are one.
const SAME_SIGNAL_MS = 1500

/** SIGTERM and SIGINT drain; a second one, later, ends the calls in flight. Either way everything is booked. */
export function stopOnSignals({ logger, drain, cut }: StopOptions): void {
  let firstMs: number | undefined
  const onSignal = (signal: string) => {
    const nowMs = performance.now()
    if (firstMs === undefined) {
      firstMs = nowMs
      logger.info({ signal }, 'draining')
      void drain()
    } else if (nowMs - firstMs > SAME_SIGNAL_MS) {
      logger.warn({ signal }, 'calls in flight are ended')
      cut()
    }
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}
