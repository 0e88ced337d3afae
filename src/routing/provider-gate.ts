import { GatewayError } from '../core/errors.ts'

/** How long a call may wait for another to end before another target is tried. */
const WAIT_MS = 1000

interface Waiting {
  readonly enter: () => void
}

/** Bounds the calls under way at one provider: further ones wait shortly, in order, and then go elsewhere. */
export class ProviderGate {
  private inside = 0
  private readonly queue: Waiting[] = []
  private readonly callsMax: number
  private readonly name: string

  constructor(name: string, callsMax: number) {
    this.name = name
    this.callsMax = callsMax
  }

  /** Calls under way. */
  get count(): number {
    return this.inside
  }

  /**
   * @returns lets the next one in; more than once is once
   * @throws GatewayError `overloaded` where nobody left in time, or as many wait as may be inside; the signal's reason
   */
  enter(signal: AbortSignal): Promise<() => void> | (() => void) {
    if (this.inside < this.callsMax && this.queue.length === 0) return this.pass()
    if (this.queue.length >= this.callsMax) throw this.full()
    return this.wait(signal)
  }

  private pass(): () => void {
    this.inside++
    let left = false
    return () => {
      if (left) return
      left = true
      this.inside--
      this.queue.shift()?.enter()
    }
  }

  private wait(signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        enter: () => {
          done()
          resolve(this.pass())
        },
      }
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
      }
      const giveUp = (reason: unknown) => {
        done()
        this.queue.splice(this.queue.indexOf(waiting), 1)
        reject(reason)
      }
      const leave = () => giveUp(signal.reason)
      const timer = setTimeout(() => giveUp(this.full()), WAIT_MS)
      signal.addEventListener('abort', leave, { once: true })
      this.queue.push(waiting)
      if (signal.aborted) leave()
    })
  }

  private full(): GatewayError {
    return new GatewayError('overloaded', {
      message: `The provider \`${this.name}\` has as many calls under way as its configuration allows.`,
      detail: { provider: this.name, callsMax: this.callsMax },
      retryAfterSeconds: 1,
    })
  }
}
