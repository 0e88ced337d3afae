import type { Dialect } from '../provider.ts'
import { fromError } from './errors.ts'
import { fromEvent, newStreamState, type StreamState } from './from-events.ts'
import { fromReply } from './from-reply.ts'
import { toRequest } from './to-request.ts'
import { usageOf } from './usage.ts'

/** OpenAI's Responses API (`POST /responses`), seen from its provider. */
export const responsesDialect: Dialect<StreamState> = {
  format: 'responses',
  toRequest,
  fromReply,
  newStreamState,
  fromEvent,
  fromError,
  usageOf,
}
