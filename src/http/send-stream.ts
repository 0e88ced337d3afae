import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { StreamEncoder } from '../contract/format.ts'
import { GatewayError } from '../core/errors.ts'
import type { ChatStream, ReplyFrame } from '../pipeline/reply.ts'
import { toStreamFailure } from '../pipeline/stream-failure.ts'
import type { Pulse } from './heartbeat.ts'

export interface StreamOptions {
  readonly reply: ChatStream
  readonly response: ServerResponse
  /** Writes the status line and headers, unless a heartbeat already did. */
  readonly writeHead: () => void
  /** The caller reads the provider's format: bytes are passed on. */
  readonly native: boolean
  /** Made on first use: forwarded streams need none unless they break. */
  readonly encoder: () => StreamEncoder
  /** Leave out frames that only report usage: the caller did not ask for them. */
  readonly hideUsage: boolean
  readonly pulse: Pulse
  /** Of the call: it has to end also while its reader takes nothing. */
  readonly signal: AbortSignal
}

/**
 * Sends a stream as it comes, no faster than the caller reads.
 *
 * @returns why it broke, or `undefined` for a complete one: a caller who leaves with its end in hand has all of it
 */
export async function sendStream(options: StreamOptions): Promise<GatewayError | undefined> {
  const { reply, response, pulse, signal } = options
  let failure: GatewayError | undefined
  let isOver = false
  for await (const frames of reply.events) {
    if (response.destroyed) {
      if (reply.onCancel === 'drain') continue
      break
    }
    failure ??= failureOf(frames)
    isOver ||= failure !== undefined || frames.some(hasEnd)
    options.writeHead()
    const { bytes, writable } = writeFrames(options, frames)
    // What was left out breaks no silence: a provider's ping that this format cannot pass on.
    if (bytes > 0) pulse.beat()
    if (!writable) await drained(response, signal)
  }
  if (response.destroyed) {
    if (isOver) return failure
    if (signal.aborted && signal.reason instanceof GatewayError) return signal.reason
    return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
  }
  options.writeHead()
  response.end()
  return failure
}

/** @returns how much was written; `writable` is false where the caller reads slower than we write */
function writeFrames(
  options: StreamOptions,
  frames: readonly ReplyFrame[],
): { readonly bytes: number; readonly writable: boolean } {
  const { response } = options
  if (frames.length > 1) response.cork()
  let writable = true
  let bytes = 0
  for (const frame of frames) {
    const written = toBytes(options, frame)
    if (written.length === 0) continue
    bytes += written.length
    writable = response.write(written)
  }
  if (frames.length > 1) response.uncork()
  return { bytes, writable }
}

function toBytes(options: StreamOptions, frame: ReplyFrame): Uint8Array | string {
  const { raw, events } = frame
  if (raw === undefined || !options.native) {
    let text = ''
    for (const event of events) text += options.encoder().encode(event)
    return text
  }
  if (options.hideUsage && events.length > 0 && events.every((event) => event.type === 'usage-report'))
    return ''
  return raw
}

function failureOf(frames: readonly ReplyFrame[]): GatewayError | undefined {
  for (const { events } of frames) {
    for (const event of events) if (event.type === 'error') return toStreamFailure(event.error)
  }
  return undefined
}

function hasEnd({ events }: ReplyFrame): boolean {
  return events.some(({ type }) => type === 'reply-end')
}

// A reader that takes nothing for this long is as good as gone, and its call has to be settled.
const PATIENCE_MS = 300_000

/**
 * @returns once the caller has read what was written, or is gone. One that takes too long is let go: its connection is
 *   closed, as it is when the call's own time is up
 */
export async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const settled = new AbortController()
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)])
  const options = { signal: AbortSignal.any([patience, settled.signal]) }
  try {
    await Promise.race([once(response, 'drain', options), once(response, 'close', options)])
  } catch {
    // The connection broke, which the writer sees by itself, or patience is at its end.
    if (patience.aborted) response.destroy()
  } finally {
    settled.abort()
  }
}
