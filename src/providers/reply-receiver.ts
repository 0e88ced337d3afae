import type { Dispatcher } from 'undici'

/** The bytes of a reply: to be read to their end, once, or destroyed. */
export interface ReplyBody extends AsyncIterable<Buffer> {
  /** @returns all of it; rejects with RangeError past `bytesMax` */
  whole(bytesMax: number): Promise<Buffer>
  /** Closes the connection, unless everything has come already. */
  destroy(): void
}

export interface ReplyHead {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Bytes that wait for a slow reader before the provider is asked to pause. */
const WAITING_BYTES_MAX = 64 * 1024

interface Reader {
  /** Something has come: a chunk, the end or a failure. */
  readonly wake: () => void
}

/**
 * Receives one reply straight from the connection: no stream stands between, which would cost more than all the rest
 * that happens to a chunk. Knows whether the request has left, and lets go of it when the call is ended.
 */
export class ReplyReceiver implements Dispatcher.DispatchHandler, ReplyBody {
  /** The request was given a connection: from here on it may cost. */
  started = false
  readonly head: Promise<ReplyHead>
  private readonly signal: AbortSignal
  private readonly resolveHead: (head: ReplyHead) => void
  private readonly rejectHead: (error: unknown) => void
  private controller: Dispatcher.DispatchController | undefined
  private chunks: Buffer[] = []
  private waitingBytes = 0
  /** Set while all of the reply is collected; its bound. */
  private wholeBytesMax: number | undefined
  private isOver = false
  private failure: { readonly error: unknown } | undefined
  private reader: Reader | undefined

  constructor(signal: AbortSignal) {
    const { promise, resolve, reject } = Promise.withResolvers<ReplyHead>()
    this.head = promise
    // Nobody may be waiting when it fails: a request that could not even begin is told by its thrower.
    promise.catch(() => undefined)
    this.resolveHead = resolve
    this.rejectHead = reject
    this.signal = signal
    signal.addEventListener('abort', this.leave)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    // Whoever left while the request waited for a connection sends nothing any more.
    if (this.isOver) controller.abort(toError(this.failure?.error))
    else this.started = true
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx are signs of life, not the reply (RFC 9110, section 15.2).
    if (status >= 200) this.resolveHead({ status, headers })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isOver) return
    this.chunks.push(chunk)
    this.waitingBytes += chunk.length
    if (this.wholeBytesMax !== undefined) {
      if (this.waitingBytes > this.wholeBytesMax) this.end(new RangeError('The reply is too large.'))
      return
    }
    if (this.waitingBytes > WAITING_BYTES_MAX) controller.pause()
    this.reader?.wake()
  }

  onResponseEnd(): void {
    this.finish(undefined)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.finish({ error })
  }

  async whole(bytesMax: number): Promise<Buffer> {
    this.wholeBytesMax = bytesMax
    if (this.waitingBytes > bytesMax) this.end(new RangeError('The reply is too large.'))
    if (this.controller?.paused === true) this.controller.resume()
    if (!this.isOver) await this.change()
    if (this.failure !== undefined) throw this.failure.error
    const [first, ...others] = this.chunks
    this.chunks = []
    return first !== undefined && others.length === 0
      ? first
      : Buffer.concat([...(first ? [first] : []), ...others])
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return {
      next: () => this.next(),
      return: () => {
        this.destroy()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  destroy(): void {
    this.end(new Error('The reply was thrown away.'))
  }

  private async next(): Promise<IteratorResult<Buffer>> {
    for (;;) {
      const chunk = this.chunks.shift()
      if (chunk !== undefined) {
        this.waitingBytes -= chunk.length
        if (this.controller?.paused === true && this.waitingBytes <= WAITING_BYTES_MAX / 2)
          this.controller.resume()
        return { done: false, value: chunk }
      }
      if (this.failure !== undefined) throw this.failure.error
      if (this.isOver) return { done: true, value: undefined }
      await this.change()
    }
  }

  private change(): Promise<void> {
    return new Promise((wake) => {
      this.reader = { wake }
    })
  }

  private readonly leave = (): void => this.end(this.signal.reason)

  /** Ends the exchange from our side. */
  private end(error: unknown): void {
    if (this.isOver) return
    this.finish({ error })
    this.controller?.abort(toError(error))
  }

  private finish(failure: { readonly error: unknown } | undefined): void {
    if (this.isOver) return
    this.isOver = true
    this.failure = failure
    this.signal.removeEventListener('abort', this.leave)
    if (failure !== undefined) this.rejectHead(failure.error)
    this.reader?.wake()
  }
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
