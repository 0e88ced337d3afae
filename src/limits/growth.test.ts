import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import type { Attempt } from '../pipeline/exchange.ts'
import type { ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import { CallHold } from './call-hold.ts'
import type { Demand } from './demand.ts'
import { makeAttempt, makeKnownDemand, makeMeter, makeState, OUTPUT_NANO } from './fixtures/make-limits.ts'
import { growWith, mayOutgrow } from './growth.ts'
import type { Amounts, Meter, TakeResult } from './ports.ts'

const BUDGET = makeMeter()
const TOKENS = makeMeter({
  id: 'organization/tokens_per_hour',
  quantity: 'tokens',
  limit: 5000,
  window: { kind: 'rolling', ms: 3_600_000 },
})
const METERS = [TOKENS, BUDGET]

/** A stream that usually has 1,000 tokens, of at most 10,000. */
const GROWING = { asked: { tokensMax: 10_000, choices: 1, tokensMin: 16 }, grows: true }

function holdOf(demand: Demand = makeKnownDemand(GROWING), meters: readonly Meter[] = METERS): CallHold {
  return new CallHold({
    organizationId: 'o',
    id: 'req_1',
    covering: { meters, owners: [], isLimited: true, failClosed: false },
    demand,
    ask: demand.whole(),
    states: meters.map((meter) => makeState(meter)),
    takenAtMs: 0,
  })
}

function granted(meters: readonly Meter[] = METERS): TakeResult {
  return { granted: true, states: meters.map((meter) => makeState(meter, { used: 1 })) }
}

/** @returns a refusal that leaves so much money */
function refused(leftNanoUsd: number, by: Meter = BUDGET, retryAfterMs: number | null = 5000): TakeResult {
  return {
    granted: false,
    refusedBy: by.id,
    retryAfterMs,
    states: METERS.map((meter) =>
      makeState(meter, { used: meter === BUDGET ? (BUDGET.limit ?? 0) - leftNanoUsd - 300 : 0, held: 300 }),
    ),
  }
}

const TEXT: ReplyFrame = {
  raw: Buffer.from('x'),
  events: [{ type: 'text-delta', index: 0, text: 'x' } as never],
}
const END: ReplyFrame = { raw: undefined, events: [{ type: 'reply-end' } as never] }
const FAILED: ReplyFrame = { raw: undefined, events: [{ type: 'error' } as never] }

interface Piece {
  /** Characters after it. */
  readonly characters: number
  /** Tokens of them, by the tokenizer. */
  readonly tokens: number
  readonly frames?: readonly ReplyFrame[]
}

class Stream {
  readonly asked: Amounts[] = []
  readonly counted: number[] = []
  readonly seen: (readonly ReplyFrame[])[] = []
  /** Pieces that were asked of the provider. */
  pulled = 0
  isClosed = false
  attempt: Attempt | undefined = makeAttempt()
  readonly held: CallHold
  private readonly answers: (TakeResult | undefined)[]
  private tokens = 0
  private readonly character: string

  constructor(
    held: CallHold,
    answers: readonly (TakeResult | undefined)[],
    { character = 'x' }: { readonly character?: string } = {},
  ) {
    this.held = held
    this.answers = [...answers]
    this.character = character
  }

  async run(...pieces: readonly Piece[]): Promise<this> {
    const grown = growWith(this.upstream(pieces), this.held, {
      grow: async (more) => {
        this.asked.push(more)
        if (this.answers.length === 0) throw new Error('The hold was not expected to grow again.')
        return this.answers.shift()
      },
      attempt: () => this.attempt,
      countText: async (attempt) => {
        this.counted.push(attempt.outputText.length)
        return this.tokens
      },
    })
    for await (const frames of grown) this.seen.push(frames)
    return this
  }

  get tokensAsked(): number[] {
    return this.asked.map(({ tokens }) => tokens)
  }

  /** What the caller saw beyond what the provider sent. */
  get errors(): StreamEvent[] {
    return this.seen
      .flat()
      .filter((frame) => frame !== TEXT && frame !== END && frame !== FAILED)
      .flatMap(({ events }) => events)
  }

  private async *upstream(pieces: readonly Piece[]): ReplyEvents {
    try {
      for (const { characters, tokens, frames = [TEXT] } of pieces) {
        this.pulled++
        this.tokens = tokens
        if (this.attempt !== undefined) this.attempt.outputText = this.character.repeat(characters)
        yield frames
      }
    } finally {
      this.isClosed = true
    }
  }
}

function pieces(...sizes: readonly (readonly [characters: number, tokens: number])[]): Piece[] {
  return sizes.map(([characters, tokens]) => ({ characters, tokens }))
}

describe('mayOutgrow()', () => {
  it('is true of a stream whose cap is beyond what is held of its money', () => {
    expect(mayOutgrow(holdOf())).toBe(true)
  })

  it('is false where nothing grows, all is held, or a cap was sent', () => {
    expect(mayOutgrow(holdOf(makeKnownDemand({ ...GROWING, grows: false })))).toBe(false)
    const whole = holdOf()
    whole.outputTokens = 10_000
    expect(mayOutgrow(whole)).toBe(false)
    const capped = holdOf(makeKnownDemand(GROWING, { reasons: true }))
    capped.outputTokens = 1000
    expect(mayOutgrow(capped)).toBe(false)
    const notStreamed = holdOf(makeKnownDemand({ ...GROWING, grows: false }))
    notStreamed.outputTokens = 1000
    expect(mayOutgrow(notStreamed)).toBe(false)
  })

  it('is false where no limit on money covers it', () => {
    expect(mayOutgrow(holdOf(undefined, [TOKENS]))).toBe(false)
    expect(mayOutgrow(holdOf(undefined, [{ ...BUDGET, limit: null }, TOKENS]))).toBe(false)
    expect(mayOutgrow(holdOf(undefined, [TOKENS, { ...BUDGET, limit: 0 }]))).toBe(true)
  })
})

describe('growWith() within the hold', () => {
  it('passes everything on and asks nobody', async () => {
    const stream = await new Stream(holdOf(), []).run(...pieces([10, 2], [500, 125], [968, 242]))
    expect(stream).toMatchObject({ seen: [[TEXT], [TEXT], [TEXT]], asked: [], counted: [], isClosed: true })
  })

  it('counts no sooner than its bytes could be as many tokens as are held', async () => {
    const before = await new Stream(holdOf(), []).run(...pieces([322, 0], [968, 0]))
    expect(before.counted).toEqual([])
    const stream = await new Stream(holdOf(), []).run(...pieces([322, 0], [969, 242]))
    expect(stream.counted).toEqual([969])
  })

  it('looks at bytes, for a character can be three tokens', async () => {
    // The first look comes at a third of 968 characters.
    const early = await new Stream(holdOf(), [], { character: '€' }).run(...pieces([321, 963]))
    expect(early.counted).toEqual([])
    const stream = await new Stream(holdOf(), [granted()], { character: '€' }).run(...pieces([323, 969]))
    expect([stream.counted, stream.tokensAsked]).toEqual([[323], [500]])
  })

  it('counts again when what came since could fill the hold', async () => {
    // 242 tokens leave 726: the next look is 242 characters later, the one after that 161 later.
    const looks = pieces([969, 242], [1210, 300], [1211, 300], [1371, 340], [1372, 340])
    const stream = await new Stream(holdOf(), []).run(...looks, { characters: 1696, tokens: 424 })
    expect(stream.counted).toEqual([969, 1696])
    const shorter = await new Stream(holdOf(), []).run(...looks, { characters: 1695, tokens: 423 })
    expect(shorter.counted).toEqual([969])
  })

  it('looks no more often than every 64 characters', async () => {
    const held = holdOf()
    const near = { ...granted(), granted: true } as const
    const stream = await new Stream(held, [near]).run(
      ...pieces([1000, 960], [1063, 965], [1064, 966], [1127, 967], [1128, 968]),
    )
    expect(stream.counted).toEqual([1000, 1064, 1128])
    expect(stream.asked).toEqual([])
  })

  it('lets the end pass, however long the last piece is', async () => {
    for (const end of [END, FAILED]) {
      const last = { characters: 90_000, tokens: 30_000, frames: [TEXT, end] }
      const stream = await new Stream(holdOf(), []).run(last)
      expect(stream).toMatchObject({ seen: [[TEXT, end]], asked: [], counted: [] })
      const both: ReplyFrame = { raw: undefined, events: [...TEXT.events, ...end.events] }
      const inOne = await new Stream(holdOf(), []).run({ ...last, frames: [both] })
      expect(inOne.counted).toEqual([])
    }
  })

  it('passes on what comes before any attempt', async () => {
    const stream = new Stream(holdOf(), [])
    stream.attempt = undefined
    await stream.run(...pieces([5000, 5000]))
    expect(stream).toMatchObject({ seen: [[TEXT]], counted: [] })
  })
})

describe('growWith() beyond the hold', () => {
  it('grows by half of what is held, before that is written full', async () => {
    const held = holdOf()
    const stream = await new Stream(held, [granted(), granted()]).run(
      ...pieces([3872, 968], [3936, 969], [5868, 1468], [5932, 1469]),
    )
    expect(stream.asked).toEqual([
      { requests: 0, tokens: 500, costNanoUsd: 500 * OUTPUT_NANO },
      { requests: 0, tokens: 750, costNanoUsd: 750 * OUTPUT_NANO },
    ])
    expect(held.outputTokens).toBe(2250)
    expect(held.states).toEqual(METERS.map((meter) => makeState(meter, { used: 1 })))
    expect(stream.seen).toHaveLength(4)
  })

  it('grows by 256 tokens at least, by what was written already, and by no more than the cap', async () => {
    const short = makeKnownDemand(GROWING, { outputTokens: 100 })
    expect((await new Stream(holdOf(short), [granted()]).run(...pieces([300, 69]))).tokensAsked).toEqual([
      256,
    ])
    expect((await new Stream(holdOf(), [granted()]).run(...pieces([20_000, 5000]))).tokensAsked).toEqual([
      4032,
    ])
    const capped = makeKnownDemand({ ...GROWING, asked: { ...GROWING.asked, tokensMax: 1100 } })
    expect((await new Stream(holdOf(capped), [granted()]).run(...pieces([4000, 1000]))).tokensAsked).toEqual([
      100,
    ])
  })

  it('asks for no more once all of the cap is held', async () => {
    const demand = makeKnownDemand({ ...GROWING, asked: { ...GROWING.asked, tokensMax: 1100 } })
    const stream = await new Stream(holdOf(demand), [granted()]).run(
      ...pieces([4000, 1000], [4200, 1090], [4264, 1099], [4328, 1100]),
    )
    expect([stream.tokensAsked, stream.seen.length]).toEqual([[100], 4])
  })

  it('goes on growing where a model ignores its cap', async () => {
    const demand = makeKnownDemand({ ...GROWING, asked: { ...GROWING.asked, tokensMax: 1100 } })
    const stream = await new Stream(holdOf(demand), [granted(), granted()]).run(
      ...pieces([4000, 1000], [4400, 1101]),
    )
    expect(stream.tokensAsked).toEqual([100, 550])
    const refusing = await new Stream(holdOf(demand), [granted(), refused(0)]).run(
      ...pieces([4000, 1000], [4400, 1101], [9999, 2500]),
    )
    expect(refusing.errors).toMatchObject([{ type: 'error', error: { code: 'budget_exhausted' } }])
  })

  it('takes the rest where less is left', async () => {
    const held = holdOf()
    const stream = await new Stream(held, [refused(3 * OUTPUT_NANO), granted()]).run(...pieces([3900, 975]))
    expect(stream.asked).toEqual([
      { requests: 0, tokens: 500, costNanoUsd: 500 * OUTPUT_NANO },
      { requests: 0, tokens: 3, costNanoUsd: 3 * OUTPUT_NANO },
    ])
    expect(held.outputTokens).toBe(1003)
    expect(stream.errors).toEqual([])
  })

  it('takes the least that is left of several budgets, and does not heed those without a limit', async () => {
    const meters = [
      { ...BUDGET, id: 'user/U/budget', limit: null },
      BUDGET,
      { ...BUDGET, id: 'key/K/budget', limit: 70 * OUTPUT_NANO },
      { ...BUDGET, id: 'tag/a=b/budget' },
      { ...TOKENS, limit: 1 },
    ]
    const states = meters.map((meter) => makeState(meter, { used: OUTPUT_NANO, held: OUTPUT_NANO }))
    const refusal: TakeResult = { granted: false, refusedBy: 'key/K/budget', retryAfterMs: null, states }
    const stream = await new Stream(holdOf(undefined, meters), [refusal, granted(meters)]).run(
      ...pieces([3900, 975]),
    )
    expect(stream.tokensAsked).toEqual([500, 68])
  })

  it('goes on without a hold where that is gone', async () => {
    const held = holdOf()
    const stream = await new Stream(held, [undefined, refused(400), undefined, undefined]).run(
      ...pieces([3900, 975], [3964, 991], [5000, 1300]),
    )
    expect(stream.errors).toEqual([])
    expect([held.outputTokens, stream.seen.length]).toEqual([1000, 3])
  })

  it('does not end at a limit on tokens, which keep calls from beginning', async () => {
    const held = holdOf()
    const stream = await new Stream(held, [refused(0, TOKENS), granted()]).run(...pieces([3900, 975]))
    expect(stream.asked).toEqual([
      { requests: 0, tokens: 500, costNanoUsd: 500 * OUTPUT_NANO },
      { requests: 0, tokens: 0, costNanoUsd: 500 * OUTPUT_NANO },
    ])
    expect([held.outputTokens, stream.errors]).toEqual([1500, []])
  })
})

describe('growWith() at the end of the money', () => {
  it('ends in one error, and leaves the provider', async () => {
    const stream = await new Stream(holdOf(), [refused(0)]).run(
      ...pieces([3000, 750], [3968, 992], [4100, 1025], [4200, 1050]),
    )
    expect(stream.seen).toEqual([
      [TEXT],
      [TEXT],
      [
        {
          raw: undefined,
          events: [
            {
              type: 'error',
              error: {
                code: 'budget_exhausted',
                type: 'insufficient_quota',
                message: 'The budget of this organization was spent while this answer was being written.',
              },
            },
          ],
        },
      ],
    ])
    expect([stream.pulled, stream.isClosed, stream.tokensAsked]).toEqual([2, true, [500]])
  })

  it('uses what is held to within eight tokens', async () => {
    const near = await new Stream(holdOf(), [refused(0)]).run(...pieces([3964, 991]))
    expect(near.errors).toEqual([])
    const at = await new Stream(holdOf(), [refused(0)]).run(...pieces([3968, 992]))
    expect(at.errors).toHaveLength(1)
  })

  it('tries the rest once, and ends where others took it meanwhile', async () => {
    const stream = await new Stream(holdOf(), [refused(400), refused(0)]).run(...pieces([3980, 995]))
    expect(stream.tokensAsked).toEqual([500, 10])
    expect(stream.errors).toHaveLength(1)
  })

  it('asks for no rest that pays for no token', async () => {
    const stream = await new Stream(holdOf(), [refused(OUTPUT_NANO - 1)]).run(...pieces([3980, 995]))
    expect(stream.tokensAsked).toEqual([500])
    expect(stream.errors).toHaveLength(1)
    // Used beyond the limit, as a provider that charged more has it.
    expect((await new Stream(holdOf(), [refused(-5000)]).run(...pieces([3980, 995]))).tokensAsked).toEqual([
      500,
    ])
  })

  it('asks for no rest where output costs nothing, or no budget says what is left', async () => {
    const free = makeKnownDemand({ ...GROWING, quote: { costOf: (input) => input * 10 } })
    const stream = await new Stream(holdOf(free), [refused(400)]).run(...pieces([3980, 995]))
    expect([stream.tokensAsked, stream.errors.length]).toEqual([[500], 1])
    const unsaid = { ...refused(400), states: [] }
    const other = await new Stream(holdOf(), [unsaid]).run(...pieces([3980, 995]))
    expect([other.tokensAsked, other.errors.length]).toEqual([[500], 1])
  })

  it('names the meter that refused, or the first one where it is not known', async () => {
    const key = { ...BUDGET, id: 'key/K/budget' }
    const meters = [BUDGET, key]
    const messageOf = async (refusedBy: string) => {
      const refusal: TakeResult = { granted: false, refusedBy, retryAfterMs: null, states: [] }
      const { errors } = await new Stream(holdOf(undefined, meters), [refusal]).run(...pieces([3980, 995]))
      const [error] = errors
      return error?.type === 'error' ? error.error.message : undefined
    }
    expect(await messageOf(key.id)).toBe(
      'The budget of this key was spent while this answer was being written.',
    )
    expect(await messageOf('gone')).toBe(
      'The budget of this organization was spent while this answer was being written.',
    )
  })

  it('ends in an error of our own where a hold without meters is refused', async () => {
    const refusal: TakeResult = { granted: false, refusedBy: '', retryAfterMs: null, states: [] }
    const { errors } = await new Stream(holdOf(undefined, []), [refusal]).run(...pieces([3980, 995]))
    expect(errors).toMatchObject([{ type: 'error', error: { code: 'internal_error' } }])
  })

  it('lets the failure of the counters be seen', async () => {
    await expect(new Stream(holdOf(), []).run(...pieces([3980, 995]))).rejects.toThrow('not expected')
  })
})
