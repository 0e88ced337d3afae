import type { StreamEvent } from '../contract/chat.ts'
import type { GatewayError } from '../core/errors.ts'
import type { ChatStream, ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import { toStreamFailure } from '../pipeline/stream-failure.ts'

/** Frames that come before the first content are few; a provider that sends nothing else is not waited for. */
const FRAMES_MAX = 1000

/**
 * Waits until an answer has really begun: until then another target can give it, and the caller has seen nothing.
 *
 * @returns the same stream, nothing of it lost
 * @throws GatewayError where it fails before its first content; it is closed then
 */
export async function begun(reply: ChatStream): Promise<ChatStream> {
  const frames = reply.events[Symbol.asyncIterator]()
  const before: (readonly ReplyFrame[])[] = []
  let count = 0
  for (;;) {
    const next = await frames.next()
    if (next.done === true) return { ...reply, events: replay(before, frames) }
    before.push(next.value)
    count += next.value.length
    const failure = failureIn(next.value)
    if (failure !== undefined) {
      await frames.return?.()
      throw failure
    }
    if (count > FRAMES_MAX || next.value.some(({ events }) => events.some(isContent)))
      return { ...reply, events: replay(before, frames) }
  }
}

/** @returns what an error event that came before any content means */
function failureIn(frames: readonly ReplyFrame[]): GatewayError | undefined {
  for (const { events } of frames) {
    for (const event of events) {
      if (isContent(event)) return undefined
      if (event.type === 'error') return toStreamFailure(event.error)
    }
  }
  return undefined
}

function isContent({ type }: StreamEvent): boolean {
  switch (type) {
    case 'text-delta':
    case 'reasoning-delta':
    case 'refusal-delta':
    case 'tool-call-start':
    case 'tool-call-delta':
    case 'reply-end':
      return true
    default:
      return false
  }
}

/** What was read ahead, then the rest, with nothing between it and its reader. */
function replay(
  before: (readonly ReplyFrame[])[],
  frames: AsyncIterator<readonly ReplyFrame[]>,
): ReplyEvents {
  const iterator: AsyncIterator<readonly ReplyFrame[]> = {
    next() {
      const first = before.shift()
      return first === undefined ? frames.next() : Promise.resolve({ done: false, value: first })
    },
    return: (value?: unknown) => frames.return?.(value) ?? Promise.resolve({ done: true, value: undefined }),
  }
  return { [Symbol.asyncIterator]: () => iterator }
}
