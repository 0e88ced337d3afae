import { GatewayError } from '../core/errors.ts'
import type { ChatStream, ReplyFrame } from '../pipeline/reply.ts'
import { toStreamFailure } from '../pipeline/stream-failure.ts'

/** Of text, tool calls and thoughts; far above what any model writes in one answer. */
const BYTES_MAX = 16 * 1024 * 1024

/**
 * Holds an answer back until it is complete, so that another target can give it as long as it is not.
 *
 * @returns the same stream, all of it in memory
 * @throws GatewayError where it breaks at any point, or is larger than 16 MiB; it is closed then
 */
export async function whole(reply: ChatStream): Promise<ChatStream> {
  const batches: (readonly ReplyFrame[])[] = []
  let bytes = 0
  for await (const frames of reply.events) {
    batches.push(frames)
    for (const frame of frames) {
      bytes += sizeOf(frame)
      for (const event of frame.events) if (event.type === 'error') throw toStreamFailure(event.error)
    }
    if (bytes > BYTES_MAX) {
      throw new GatewayError('upstream_error', {
        message: 'The provider sent a larger answer than this route holds back.',
        detail: { bytesMax: BYTES_MAX },
      })
    }
  }
  return { ...reply, events: replay(batches) }
}

function sizeOf({ raw, events }: ReplyFrame): number {
  if (raw !== undefined) return raw.length
  let length = 0
  for (const event of events) {
    if ('text' in event) length += event.text.length
    else if (event.type === 'tool-call-delta') length += event.arguments.length
  }
  return length + events.length
}

async function* replay(batches: readonly (readonly ReplyFrame[])[]): AsyncGenerator<readonly ReplyFrame[]> {
  yield* batches
}
