import type { ServerResponse } from 'node:http'
import type { Timers } from './timers.ts'

/** The connection to one client: writes with back-pressure, waits, and knows at once when the client has left. */
export class Line {
  /** The client has left, or we have hung up. */
  closed = false
  private readonly response: ServerResponse
  private readonly timers: Timers
  private wake: (() => void) | undefined

  constructor(response: ServerResponse, timers: Timers) {
    this.response = response
    this.timers = timers
    const close = () => {
      this.closed = true
      this.wake?.()
    }
    if (response.destroyed) this.closed = true
    response.once('close', close)
  }

  /** Resolves after the time, or earlier when the line closes; no timer is left behind. */
  wait(delayMs: number): Promise<void> {
    if (this.closed || !(delayMs > 0)) return Promise.resolve()
    return this.until((done) => this.timers.schedule(delayMs, done))
  }

  /** Resolves when the line closes. */
  untilClosed(): Promise<void> {
    return this.closed ? Promise.resolve() : this.until(() => () => {})
  }

  /** Resolves once there is room for more, or the line is closed. */
  write(data: string | Buffer): Promise<void> | undefined {
    if (this.closed || this.response.write(data)) return undefined
    return this.until((done) => {
      this.response.once('drain', done)
      return () => this.response.off('drain', done)
    })
  }

  /** Writes the data in small pieces, each in a turn of its own, so that the network may cut there. */
  async drip(data: string | Buffer, pieceBytes: number): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    for (let at = 0; at < bytes.length && !this.closed; at += pieceBytes) {
      await this.write(bytes.subarray(at, at + pieceBytes))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Closes the connection without an end to the reply, after what was written has left. */
  async cut(): Promise<void> {
    if (!this.closed) {
      await this.until((done) => {
        this.response.write('', () => setImmediate(done))
        return () => {}
      })
    }
    this.response.destroy()
  }

  private until(begin: (done: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      let cancel = () => {}
      const done = () => {
        this.wake = undefined
        cancel()
        resolve()
      }
      this.wake = done
      cancel = begin(done)
    })
  }
}
