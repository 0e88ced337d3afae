export interface SettlingOptions {
  /** How long what another replica settled may take to the ledger, and its calls under way to be held again. */
  readonly settlingMs: number
  /** The generation that was there when this process began; `undefined` = not known. */
  readonly present: string | undefined
  readonly wait: (ms: number) => Promise<void>
  readonly monotonicMs: () => number
}

/**
 * @returns a function that resolves once so much time went by since this process first heard of a generation: by then
 *   other replicas have noticed the loss before it, and written down what they had settled. Of the generation that was
 *   there already nothing was lost here, so that is waited for by nobody
 */
export function createSettling(options: SettlingOptions): (generation: string) => Promise<void> {
  const { settlingMs, wait, monotonicMs } = options
  let known = options.present
  let settledMs = Number.NEGATIVE_INFINITY
  return async (generation) => {
    if (generation !== known) {
      known = generation
      settledMs = monotonicMs() + settlingMs
    }
    const restMs = settledMs - monotonicMs()
    if (restMs > 0) await wait(restMs)
  }
}
