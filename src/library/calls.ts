import type { StreamEvent } from '../contract/chat.ts'
import { GatewayError, toGatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Caller, Exchange, Incoming } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { toStreamFailure } from '../pipeline/stream-failure.ts'
import { type CallFacts, type Completion, ReplyCollector, toCompletion, toFacts } from './completion.ts'
import {
  type CallOptions,
  type CompletionRequest,
  type EmbedRequest,
  toChatRequest,
  toEmbeddingRequest,
  toIncoming,
} from './requests.ts'

export interface Embedding extends CallFacts {
  /** In the order of the inputs. */
  readonly vectors: readonly (readonly number[])[]
}

/**
 * Events of a reply as they come, to be read once. Leaving the loop early ends the call; what was produced until then
 * is booked.
 */
export interface CompletionStream extends AsyncIterable<StreamEvent> {
  /** Resolves when the stream has been read to its end; rejects where it broke or was left. */
  readonly completion: Promise<Completion>
}

/** The pipeline, called from the same process. */
export interface Calls {
  /** @throws GatewayError */
  complete(request: CompletionRequest): Promise<Completion>
  stream(request: CompletionRequest): CompletionStream
  /** @throws GatewayError */
  embed(request: EmbedRequest): Promise<Embedding>
}

export function createCalls(gateway: Gateway, organizationId: string): Calls {
  function open(incoming: Incoming, options: CallOptions): { exchange: Exchange; done: () => void } {
    const controller = new AbortController()
    const leave = () => controller.abort(callerLeft())
    if (options.signal?.aborted === true) leave()
    options.signal?.addEventListener('abort', leave, { once: true })
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => controller.abort(tooLong()), options.timeoutMs)
    const caller: Caller = {
      organizationId: options.organizationId ?? organizationId,
      teamId: null,
      keyId: null,
      user: options.user ?? null,
      models: null,
    }
    return {
      exchange: gateway.newExchange(gateway.newRequestId(), incoming, controller.signal, caller),
      done() {
        clearTimeout(timer)
        options.signal?.removeEventListener('abort', leave)
      },
    }
  }

  /** Runs a call whose reply is whole, and ends it once that has been read. */
  async function whole<Kind extends Reply['kind'], Result>(
    incoming: Incoming,
    options: CallOptions,
    kind: Kind,
    read: (exchange: Exchange, reply: Extract<Reply, { kind: Kind }>) => Result,
  ): Promise<Result> {
    const { exchange, done } = open(incoming, options)
    try {
      const running = await gateway.run(exchange)
      try {
        const result = read(exchange, expectKind(running.reply, kind))
        await running.end('completed')
        return result
      } catch (thrown) {
        const error = toGatewayError(thrown)
        await running.end('failed', error)
        throw error
      }
    } finally {
      done()
    }
  }

  /** Runs a call whose reply streams; `onComplete` hears of one that was read to its end. */
  async function* read(
    request: CompletionRequest,
    onComplete: (completion: Completion) => void,
  ): AsyncGenerator<StreamEvent> {
    const incoming = toIncoming(request, { chat: toChatRequest(request, true) })
    const { exchange, done } = open(incoming, request)
    try {
      const running = await gateway.run(exchange)
      const collector = new ReplyCollector()
      // Whoever stops reading has left, unless the end of the reply was in hand.
      let failure: GatewayError | undefined = callerLeft()
      /** The end of the reply, and what is behind it: nobody has it before the call is booked. */
      let held: StreamEvent[] | undefined
      try {
        const reply = expectKind(running.reply, 'stream')
        for await (const frames of reply.events) {
          for (const event of frames.flatMap((frame) => frame.events)) {
            collector.take(event)
            if (event.type === 'error') throw toStreamFailure(event.error)
            if (event.type === 'reply-end') held ??= []
            if (held === undefined) yield event
            else held.push(event)
          }
          // Else usage may follow.
          if (held === undefined || exchange.attempts.at(-1)?.usage.outputTokens === undefined) continue
          failure = undefined
          await running.end('completed')
          yield* held.splice(0)
        }
        failure = undefined
        await running.end('completed')
        if (held !== undefined) yield* held
      } catch (thrown) {
        failure = toGatewayError(thrown)
        throw failure
      } finally {
        await running.end(endOf(failure), failure)
        if (failure === undefined)
          onComplete(toCompletion(exchange, collector.toReply(toFacts(exchange).usage)))
      }
    } finally {
      done()
    }
  }

  return {
    async complete(request) {
      const incoming = toIncoming(request, { chat: toChatRequest(request, false) })
      return whole(incoming, request, 'chat', (exchange, reply) => toCompletion(exchange, reply.chat()))
    },

    stream(request) {
      const { promise, resolve, reject } = Promise.withResolvers<Completion>()
      // Whoever reads only the events is told of a failure there.
      promise.catch(() => undefined)
      let isRead = false
      return { completion: promise, [Symbol.asyncIterator]: events }

      async function* events(): AsyncGenerator<StreamEvent> {
        if (isRead) throw new Error('A stream can be read once: each reading would be a call of its own.')
        isRead = true
        try {
          yield* read(request, resolve)
        } catch (error) {
          reject(error)
          throw error
        } finally {
          // Changes nothing where the completion is known.
          reject(callerLeft())
        }
      }
    },

    async embed(request) {
      const incoming = toIncoming(request, { embedding: toEmbeddingRequest(request) })
      return whole(incoming, request, 'embedding', (exchange, reply) => ({
        ...toFacts(exchange),
        vectors: reply.embedding().vectors,
      }))
    },
  }
}

function endOf(failure: GatewayError | undefined): 'completed' | 'failed' | 'cancelled' {
  if (failure === undefined) return 'completed'
  return failure.code === 'client_closed' ? 'cancelled' : 'failed'
}

function expectKind<Kind extends Reply['kind']>(reply: Reply, kind: Kind): Extract<Reply, { kind: Kind }> {
  if (reply.kind !== kind) throw new Error(`The pipeline answered with ${reply.kind} instead of ${kind}.`)
  return reply as Extract<Reply, { kind: Kind }>
}

function callerLeft(): GatewayError {
  return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
}

function tooLong(): GatewayError {
  return new GatewayError('upstream_timeout', { message: 'The call took longer than the time it was given.' })
}
