import type { Clock } from '../core/clock.ts'
import { type GatewayError, toGatewayError } from '../core/errors.ts'
import type { Exchange } from './exchange.ts'
import type { Reply } from './reply.ts'
import type { Outcome, Stage } from './stage.ts'

/** What answers when no stage did: the call to a provider, with whatever surrounds it. */
export type Call = (exchange: Exchange) => Promise<Reply>

/** A call that has a reply and is not over: its owner ends it once the last byte is out. */
export interface Running {
  readonly reply: Reply
  /** Settles every stage that began, in reverse order. Only the first call counts; never throws. */
  end(kind: 'completed' | 'failed' | 'cancelled', error?: GatewayError): Promise<void>
}

export interface RunOptions {
  readonly clock: Clock
  /** A defect in a `settle`: it must not keep the others from theirs. */
  readonly onSettleError: (stage: string, error: unknown) => void
}

/**
 * Takes a call through the stages.
 *
 * @returns the reply, to be ended by whoever sends it
 * @throws GatewayError where a stage or the call failed; then everything is settled already
 */
export async function run(
  exchange: Exchange,
  stages: readonly Stage[],
  call: Call,
  options: RunOptions,
): Promise<Running> {
  const { clock } = options
  let entered = 0
  let reply: Reply | undefined
  try {
    let startedMs = exchange.startedMs
    for (const stage of stages) {
      entered++
      if (stage.enter === undefined) continue
      const answer = stage.enter(exchange)
      // Most stages decide from memory: waiting for a value that is already here costs a turn of the loop.
      reply = answer instanceof Promise ? await answer : answer
      const endedMs = clock.monotonicMs()
      exchange.stageTimes.push({ stage: stage.name, startedMs, endedMs })
      startedMs = endedMs
      if (reply !== undefined) break
    }
    reply ??= await call(exchange)
    reply = relayed(reply)
  } catch (thrown) {
    if (reply !== undefined) await letGo(reply)
    const error = toGatewayError(thrown)
    const kind = error.code === 'client_closed' ? 'cancelled' : 'failed'
    await settle({ kind, status: error.spec.status, error, endedMs: clock.monotonicMs() })
    throw error
  }

  const { status } = reply
  let ended: Promise<void> | undefined
  return {
    reply,
    end(kind, error) {
      ended ??= settle({ kind, status, error, endedMs: clock.monotonicMs() })
      return ended
    },
  }

  /** A stream wrapped by every stage that began. */
  function relayed(whole: Reply): Reply {
    if (whole.kind !== 'stream') return whole
    let events = whole.events
    for (let i = entered - 1; i >= 0; i--) events = stages[i]?.relay?.(events, exchange) ?? events
    return events === whole.events ? whole : { ...whole, events }
  }

  async function settle(outcome: Outcome): Promise<void> {
    for (let i = entered - 1; i >= 0; i--) {
      const stage = stages[i]
      if (stage?.settle === undefined) continue
      try {
        const settled = stage.settle(exchange, outcome)
        if (settled instanceof Promise) await settled
      } catch (error) {
        options.onSettleError(stage.name, error)
      }
    }
  }
}

/** Closes a stream that nobody will read, so that it does not hold its connection. */
async function letGo(reply: Reply): Promise<void> {
  if (reply.kind !== 'stream') return
  try {
    await reply.events[Symbol.asyncIterator]().return?.()
  } catch {
    // The call has failed already, and by something else.
  }
}
