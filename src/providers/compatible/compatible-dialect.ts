import type { StreamEvent } from '../../contract/chat.ts'
import type { Dialect } from '../provider.ts'
import { fromError } from './errors.ts'
import { fromEnd, fromEvent } from './from-events.ts'
import { fromReply } from './from-reply.ts'
import { newStreamState, type StreamState } from './stream-state.ts'
import { toRequest } from './to-request.ts'
import { usageOf } from './usage.ts'

/** The dialect of every OpenAI-shaped provider; how they differ is in their traits. */
export interface CompatibleDialect extends Dialect<StreamState> {
  /** @returns `reply-end` where a stream closed without `[DONE]` but every answer was complete; else nothing */
  fromEnd(state: StreamState): StreamEvent[]
}

export const compatibleDialect: CompatibleDialect = {
  format: 'chat',
  toRequest,
  fromReply,
  newStreamState,
  fromEvent,
  fromEnd,
  fromError,
  usageOf,
}
