import type { GatewayError } from '../core/errors.ts'
import type { Exchange } from './exchange.ts'
import type { Reply, ReplyEvents } from './reply.ts'

type Awaitable<Value> = Value | Promise<Value>

/** How a call ended. */
export interface Outcome {
  /** `completed`: the last byte left us. `failed`: an error was the answer. `cancelled`: the caller went first. */
  readonly kind: 'completed' | 'failed' | 'cancelled'
  /** HTTP status that the caller saw, or would have seen. */
  readonly status: number
  readonly error: GatewayError | undefined
  /** Monotonic milliseconds. */
  readonly endedMs: number
}

export interface Stage {
  /** Stable name, seen in traces and metrics. */
  readonly name: string
  /** Before the call. A returned reply answers now and skips the rest. Throws GatewayError. */
  enter?(exchange: Exchange): Awaitable<Reply | undefined>
  /** While the reply passes. Left out unless needed: each wrap costs every chunk. */
  relay?(events: ReplyEvents, exchange: Exchange): ReplyEvents
  /** Exactly once, in reverse order: last byte sent, call failed, or client gone. Never throws. */
  settle?(exchange: Exchange, outcome: Outcome): Awaitable<void>
}
