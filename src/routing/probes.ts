import type { Clock } from '../core/clock.ts'
import type { ProbeResult } from './provider-health.ts'

export interface ProbesOptions {
  /** @returns names of the providers that can be asked for free, in force now */
  readonly providers: () => readonly string[]
  /** Asks one; rejects where it is not there. Never a call that costs. */
  readonly probe: (provider: string, signal: AbortSignal) => Promise<void>
  /** @returns when a call to it was last over, in monotonic milliseconds: whoever is called is not asked */
  readonly lastCallMs: (provider: string) => number
  readonly onResult: (provider: string, result: ProbeResult) => void
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly intervalMs?: number
  readonly timeoutMs?: number
}

export interface Probes {
  /** Ends probes that are under way. @returns once they have ended */
  close(): Promise<void>
}

const INTERVAL_MS = 60_000
const TIMEOUT_MS = 10_000
/** Those that are asked in one round, one after the other, and in several such rows. */
const ROWS = 4

/**
 * Asks providers, once a minute, whether they are there, where nobody calls them: so that the health of a quiet one is
 * known, and a breaker that is open hears of its return. Replicas that started together do not ask together.
 */
export function openProbes(options: ProbesOptions): Probes {
  const { clock, probe, onResult, intervalMs = INTERVAL_MS, timeoutMs = TIMEOUT_MS } = options
  const ending = new AbortController()
  let round: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  async function ask(provider: string): Promise<void> {
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(timeoutMs)])
    const reason = await probe(provider, signal).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    if (ending.signal.aborted) return
    onResult(provider, { ok: reason === undefined, atMs: clock.monotonicMs(), reason })
  }

  async function askAll(): Promise<void> {
    const quietSinceMs = clock.monotonicMs() - intervalMs
    const quiet = options.providers().filter((provider) => options.lastCallMs(provider) < quietSinceMs)
    const askRow = async () => {
      for (let next = quiet.pop(); next !== undefined && !ending.signal.aborted; next = quiet.pop())
        await ask(next)
    }
    await Promise.all(Array.from({ length: ROWS }, askRow))
  }

  function schedule(delayMs: number): void {
    timer = setTimeout(() => {
      round = askAll().finally(() => {
        if (!ending.signal.aborted) schedule(intervalMs)
      })
    }, delayMs).unref()
  }

  // Between half an interval and a whole one after the start.
  schedule(intervalMs * (0.5 + options.random() / 2))
  return {
    async close() {
      ending.abort()
      clearTimeout(timer)
      await round
    },
  }
}
