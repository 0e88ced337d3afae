import type { ServerResponse } from 'node:http'
import type { StreamEncoder } from '../contract/format.ts'
import { GatewayError } from '../core/errors.ts'
import type { ChatStream, ReplyFrame } from '../pipeline/reply.ts'
import { toStreamFailure } from '../pipeline/stream-failure.ts'
import { callerLeft } from './caller-left.ts'
import { drained } from './drained.ts'
import type { Pulse } from './heartbeat.ts'
import { createStreamEnd } from './stream-end.ts'

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
  /** The provider has said what the call used. */
  readonly isUsageKnown: () => boolean
  /** Books the call: done before its end is sent. */
  readonly settle: (failure: GatewayError | undefined) => Promise<void>
}

/**
 * Sends a stream as it comes, no faster than the caller reads; its end only once the call is booked.
 *
 * @returns why it broke, or `undefined` for a complete one
 */
export async function sendStream(options: StreamOptions): Promise<GatewayError | undefined> {
  const { reply, response, pulse, signal } = options
  const end = createStreamEnd({
    settle: options.settle,
    isUsageKnown: options.isUsageKnown,
    write(frames, isAll) {
      if (response.destroyed) return
      // The end of the body goes into the packet of the last frames.
      if (isAll) response.end(joinBytes(options, frames))
      else writeFrames(options, frames)
    },
  })
  try {
    for await (const frames of reply.events) {
      if (response.destroyed) {
        if (reply.onCancel === 'drain') continue
        break
      }
      options.writeHead()
      const last = end.isHeld ? 0 : frames.findIndex(isLast)
      const { bytes, writable } = writeFrames(options, last < 0 ? frames : frames.slice(0, last))
      if (last >= 0) end.hold(frames.slice(last), failureOf(frames))
      // What was left out breaks no silence: a provider's ping that this format cannot pass on.
      if (bytes > 0) pulse.beat()
      if (!writable) await drained(response, signal)
    }
    if (response.destroyed && !end.isBooked) {
      if (end.failure !== undefined) return end.failure
      return signal.aborted && signal.reason instanceof GatewayError ? signal.reason : callerLeft()
    }
    options.writeHead()
    await end.send()
    return end.failure
  } finally {
    end.close()
  }
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

function joinBytes(options: StreamOptions, frames: readonly ReplyFrame[]): Uint8Array | string {
  const [first, ...more] = frames.map((frame) => toBytes(options, frame)).filter(({ length }) => length > 0)
  if (first === undefined || more.length === 0) return first ?? ''
  return Buffer.concat(
    [first, ...more].map((bytes) => (typeof bytes === 'string' ? Buffer.from(bytes) : bytes)),
  )
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

/** @returns whether a caller that has read the frame knows how the reply ended */
function isLast({ events }: ReplyFrame): boolean {
  return events.some(({ type }) => type === 'reply-end' || type === 'error')
}
