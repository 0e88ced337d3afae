import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Exchange } from './exchange.ts'
import { makeClock, makeExchange } from './fixtures/make-exchange.ts'
import type { ChatStream, Reply, ReplyEvents, TokenCountAnswer } from './reply.ts'
import { type Call, run } from './run.ts'
import type { Outcome, Stage } from './stage.ts'

const REPLY: TokenCountAnswer = { kind: 'token-count', status: 200, headers: {}, inputTokens: 1 }

const REFUSED = new GatewayError('model_not_allowed', { message: 'no' })

function options(onSettleError: (stage: string, error: unknown) => void = () => undefined) {
  return { clock: makeClock(), onSettleError }
}

/** A stage that writes down what happens to it. */
function logged(name: string, log: string[], more: Partial<Stage> = {}): Stage {
  return {
    name,
    enter() {
      log.push(`enter ${name}`)
      return undefined
    },
    settle(_exchange, outcome) {
      log.push(`settle ${name} ${outcome.kind}`)
    },
    ...more,
  }
}

function streamOf(events: ReplyEvents): ChatStream {
  return { kind: 'stream', status: 200, headers: {}, format: 'chat', onCancel: 'abort', events }
}

async function* noEvents(): ReplyEvents {}

describe('run()', () => {
  it('enters in order, and settles in reverse order only when the reply is ended', async () => {
    const log: string[] = []
    const call: Call = async () => {
      log.push('call')
      return REPLY
    }
    const running = await run(makeExchange(), [logged('a', log), logged('b', log)], call, options())
    expect(running.reply).toBe(REPLY)
    expect(log).toEqual(['enter a', 'enter b', 'call'])
    await running.end('completed')
    expect(log.slice(3)).toEqual(['settle b completed', 'settle a completed'])
  })

  it('settles once however often and in whatever way the reply is ended', async () => {
    const outcomes: Outcome[] = []
    const stage: Stage = { name: 'a', settle: async (_exchange, outcome) => void outcomes.push(outcome) }
    const running = await run(makeExchange(), [stage], async () => REPLY, options())
    const error = new GatewayError('upstream_error', { message: 'broke' })
    await Promise.all([running.end('failed', error), running.end('completed'), running.end('cancelled')])
    await running.end('completed')
    expect(outcomes).toEqual([{ kind: 'failed', status: 200, error, endedMs: 0 }])
  })

  it('settles every stage whose enter began, the one that threw included, and none after it', async () => {
    const log: string[] = []
    const refusing = logged('b', log, {
      enter() {
        throw REFUSED
      },
    })
    const stages = [logged('a', log), refusing, logged('c', log)]
    await expect(run(makeExchange(), stages, async () => REPLY, options())).rejects.toBe(REFUSED)
    expect(log).toEqual(['enter a', 'settle b failed', 'settle a failed'])
  })

  it('answers with the reply of a stage and skips the rest', async () => {
    const log: string[] = []
    const answering = logged('b', log, { enter: async () => REPLY })
    const call: Call = async () => {
      throw new Error('not reached')
    }
    const running = await run(
      makeExchange(),
      [logged('a', log), answering, logged('c', log)],
      call,
      options(),
    )
    expect(running.reply).toBe(REPLY)
    await running.end('completed')
    expect(log).toEqual(['enter a', 'settle b completed', 'settle a completed'])
  })

  it('says cancelled where the caller left, and hides what is not ours', async () => {
    const outcomes: Outcome[] = []
    const stage: Stage = { name: 'a', settle: (_exchange, outcome) => void outcomes.push(outcome) }
    const fails = (error: unknown) =>
      run(
        makeExchange(),
        [stage],
        async () => {
          throw error
        },
        options(),
      )
    const left = new GatewayError('client_closed', { message: 'left' })
    await expect(fails(left)).rejects.toBe(left)
    const defect = new TypeError('x is not a function')
    await expect(fails(defect)).rejects.toMatchObject({ code: 'internal_error', cause: defect })
    expect(outcomes.map(({ kind, status }) => [kind, status])).toEqual([
      ['cancelled', 499],
      ['failed', 500],
    ])
  })

  it('goes on settling after a stage that could not, and tells of it', async () => {
    const log: string[] = []
    const told: unknown[] = []
    const sync = logged('sync', log, {
      settle() {
        throw new Error('sync')
      },
    })
    const async_ = logged('async', log, {
      settle: async () => {
        throw new Error('async')
      },
    })
    const running = await run(
      makeExchange(),
      [logged('a', log), sync, async_],
      async () => REPLY,
      options((stage, error) => told.push([stage, (error as Error).message])),
    )
    await running.end('completed')
    expect(told).toEqual([
      ['async', 'async'],
      ['sync', 'sync'],
    ])
    expect(log.at(-1)).toBe('settle a completed')
  })

  it('wraps a stream from the last stage to the first, and only those that entered', async () => {
    const wrap = (name: string): Stage => ({
      name,
      async *relay(events) {
        for await (const frames of events)
          yield frames.map((frame) => ({
            ...frame,
            events: [...frame.events, { type: 'text-delta' as const, choice: 0, text: name }],
          }))
      },
    })
    async function* one(): ReplyEvents {
      yield [{ raw: undefined, events: [] }]
    }
    const answering: Stage = { name: 'b', enter: () => streamOf(one()), relay: wrap('b').relay }
    const running = await run(makeExchange(), [wrap('a'), answering, wrap('c')], async () => REPLY, options())
    const texts: string[] = []
    if (running.reply.kind === 'stream') {
      for await (const frames of running.reply.events)
        for (const { events } of frames)
          for (const event of events) if (event.type === 'text-delta') texts.push(event.text)
    }
    expect(texts).toEqual(['b', 'a'])
  })

  it('settles and lets go of the stream when a relay cannot begin', async () => {
    const log: string[] = []
    let closed = false
    const events: ReplyEvents = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: [] }),
        return: async () => {
          closed = true
          return { done: true, value: undefined }
        },
      }),
    }
    const broken = logged('b', log, {
      relay() {
        throw new Error('no relay')
      },
    })
    await expect(
      run(makeExchange(), [logged('a', log), broken], async () => streamOf(events), options()),
    ).rejects.toMatchObject({ code: 'internal_error' })
    expect(log).toEqual(['enter a', 'enter b', 'settle b failed', 'settle a failed'])
    expect(closed).toBe(true)
  })

  it('notes the time of each stage that decides something', async () => {
    const clock = makeClock()
    const slow = (name: string, ms: number): Stage => ({
      name,
      enter() {
        clock.advance(ms)
        return undefined
      },
    })
    const exchange = makeExchange()
    await run(exchange, [slow('a', 2), { name: 'idle' }, slow('b', 3)], async () => REPLY, {
      clock,
      onSettleError: () => undefined,
    })
    expect(exchange.stageTimes).toEqual([
      { stage: 'a', startedMs: 0, endedMs: 2 },
      { stage: 'b', startedMs: 2, endedMs: 5 },
    ])
  })

  it('settles exactly those that began, once each and in reverse, for any pipeline and any end', async () => {
    type Way = 'pass' | 'pass-later' | 'throw' | 'throw-later' | 'reply' | 'reply-later'
    const way = fc.constantFrom<Way[]>('pass', 'pass-later', 'throw', 'throw-later', 'reply', 'reply-later')
    const end = fc.constantFrom('completed', 'failed', 'cancelled')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ way, settles: fc.constantFrom('well', 'throws', 'not') }), { maxLength: 6 }),
        fc.boolean(),
        fc.array(end, { minLength: 1, maxLength: 3 }),
        async (plan, callFails, ends) => {
          const entered: number[] = []
          const settled: number[] = []
          const stages = plan.map(({ way, settles }, index): Stage => {
            const answer = (): Reply | undefined => {
              if (way.startsWith('throw')) throw REFUSED
              return way.startsWith('reply') ? REPLY : undefined
            }
            return {
              name: String(index),
              enter() {
                entered.push(index)
                return way.endsWith('later') ? Promise.resolve().then(answer) : answer()
              },
              ...(settles === 'not'
                ? {}
                : {
                    settle(_exchange: Exchange, _outcome: Outcome) {
                      settled.push(index)
                      if (settles === 'throws') throw new Error('settle')
                    },
                  }),
            }
          })
          const call: Call = async () => {
            if (callFails) throw REFUSED
            return REPLY
          }
          const running = await run(makeExchange(), stages, call, options()).catch(() => undefined)
          if (running !== undefined) {
            expect(settled).toEqual([])
            for (const kind of ends) await running.end(kind)
          }
          expect(settled).toEqual(entered.filter((index) => plan[index]?.settles !== 'not').reverse())
        },
      ),
    )
  })

  it('asks nothing of a stream that no stage wraps', async () => {
    const reply = streamOf(noEvents())
    const running = await run(makeExchange(), [{ name: 'a' }], async () => reply, options())
    expect(running.reply).toBe(reply)
  })
})
