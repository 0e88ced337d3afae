import type { Dialect } from '../provider.ts'
import { fromError } from './errors.ts'
import { fromEvent, type GoogleStreamState, newStreamState } from './from-events.ts'
import { fromReply } from './from-reply.ts'
import { toRequest } from './to-request.ts'
import { usageOf } from './usage.ts'

/** Gemini's `generateContent`, as Google's provider speaks it. */
export const googleDialect: Dialect<GoogleStreamState> = {
  format: 'gemini',
  toRequest,
  fromReply,
  newStreamState,
  fromEvent,
  fromError,
  usageOf,
}
