import { describe, expect, it } from 'vitest'
import type { Incoming } from '../pipeline/exchange.ts'
import { makeChatRequest, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { askedOutputOf } from './asked-output.ts'

function asked(format: Incoming['format'], json: Record<string, unknown> | undefined) {
  return askedOutputOf(makeIncoming(json, { format, json }))
}

const NOTHING = { tokensMax: undefined, choices: 1, tokensMin: 16 }
/** What no count can be. */
const RUBBISH = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '100', null, true, [], {}]

describe('askedOutputOf() of Chat Completions', () => {
  it('reads either cap, the newer one first', () => {
    expect(asked('chat', { max_tokens: 100 })).toEqual({ ...NOTHING, tokensMax: 100 })
    expect(asked('chat', { max_tokens: 100, max_completion_tokens: 50 }).tokensMax).toBe(50)
    expect(asked('chat', { max_tokens: 100, max_completion_tokens: null }).tokensMax).toBe(100)
    expect(asked('chat', {})).toEqual(NOTHING)
    expect(asked('chat', undefined)).toEqual(NOTHING)
  })

  it('reads how many answers, at most 128', () => {
    expect(asked('chat', { n: 3 }).choices).toBe(3)
    expect(asked('chat', { n: 128 }).choices).toBe(128)
    expect(asked('chat', { n: 129 }).choices).toBe(128)
  })

  it('leaves what can be no count to the provider', () => {
    for (const rubbish of RUBBISH) {
      expect(asked('chat', { max_tokens: rubbish, max_completion_tokens: rubbish, n: rubbish })).toEqual(
        NOTHING,
      )
    }
    expect(asked('chat', { max_tokens: 2 ** 53 - 1 }).tokensMax).toBe(2 ** 53 - 1)
    expect(asked('chat', { max_tokens: 1 }).tokensMax).toBe(1)
  })
})

describe('askedOutputOf() of Responses', () => {
  it('reads its cap and no number of answers', () => {
    expect(asked('responses', { max_output_tokens: 100, n: 3, max_tokens: 5 })).toEqual({
      ...NOTHING,
      tokensMax: 100,
    })
    expect(asked('responses', undefined)).toEqual(NOTHING)
  })
})

describe('askedOutputOf() of Messages', () => {
  it('reads its cap, and leaves room behind the thoughts that were asked for', () => {
    expect(asked('messages', { max_tokens: 100, n: 3 })).toEqual({ ...NOTHING, tokensMax: 100 })
    const thinking = { type: 'enabled', budget_tokens: 1024 }
    expect(asked('messages', { max_tokens: 4096, thinking })).toEqual({
      tokensMax: 4096,
      choices: 1,
      tokensMin: 1040,
    })
    expect(asked('messages', undefined)).toEqual(NOTHING)
  })

  it('takes no rubbish for a budget of thoughts', () => {
    for (const rubbish of RUBBISH) {
      expect(asked('messages', { thinking: { budget_tokens: rubbish } }).tokensMin).toBe(16)
      expect(asked('messages', { thinking: rubbish }).tokensMin).toBe(16)
    }
  })
})

describe('askedOutputOf() of Gemini', () => {
  it('reads its configuration in either spelling', () => {
    const expected = { tokensMax: 100, choices: 4, tokensMin: 16 }
    expect(asked('gemini', { generationConfig: { maxOutputTokens: 100, candidateCount: 4 } })).toEqual(
      expected,
    )
    expect(asked('gemini', { generation_config: { max_output_tokens: 100, candidate_count: 4 } })).toEqual(
      expected,
    )
    expect(asked('gemini', { generationConfig: { candidateCount: 1000 } }).choices).toBe(128)
  })

  it('reads none from anything else', () => {
    expect(asked('gemini', {})).toEqual(NOTHING)
    expect(asked('gemini', undefined)).toEqual(NOTHING)
    for (const rubbish of RUBBISH) {
      expect(asked('gemini', { generationConfig: rubbish })).toEqual(NOTHING)
      expect(
        asked('gemini', { generationConfig: { maxOutputTokens: rubbish, candidateCount: rubbish } }),
      ).toEqual(NOTHING)
    }
  })
})

describe('askedOutputOf() of a call from this process', () => {
  it('reads the neutral request', () => {
    const chat = () => makeChatRequest({ outputTokensMax: 77 })
    expect(askedOutputOf(makeIncoming({}, { format: 'library', json: undefined, chat }))).toEqual({
      ...NOTHING,
      tokensMax: 77,
    })
  })
})

describe('askedOutputOf() of /v1/completions', () => {
  const completion = (json: Record<string, unknown> | undefined) =>
    askedOutputOf(makeIncoming(json, { operation: 'completion', format: 'completions', json }))

  it('writes 16 tokens where nothing is said', () => {
    expect(completion({})).toEqual({ tokensMax: 16, choices: 1, tokensMin: 16 })
    expect(completion(undefined)).toEqual({ tokensMax: 16, choices: 1, tokensMin: 16 })
    expect(completion({ max_tokens: 100 }).tokensMax).toBe(100)
  })

  it('writes as many answers as there are to choose from', () => {
    expect(completion({ n: 2, best_of: 5 }).choices).toBe(5)
    expect(completion({ n: 4 }).choices).toBe(4)
    expect(completion({ n: 1000 }).choices).toBe(128)
    expect(completion({ best_of: 1000 }).choices).toBe(128)
  })

  it('answers each prompt, however many there are', () => {
    expect(completion({ prompt: ['a', 'b', 'c'], n: 2 }).choices).toBe(6)
    expect(completion({ prompt: [[1, 2], [3]] }).choices).toBe(2)
    expect(completion({ prompt: Array.from({ length: 500 }, () => 'a'), n: 2 }).choices).toBe(1000)
  })

  it('takes tokens, and nothing at all, for one prompt', () => {
    expect(completion({ prompt: [1, 2, 3] }).choices).toBe(1)
    expect(completion({ prompt: [] }).choices).toBe(1)
    expect(completion({ prompt: 'a b c' }).choices).toBe(1)
    expect(completion({ prompt: { length: 9 } }).choices).toBe(1)
  })
})

describe('askedOutputOf() of anything else', () => {
  it('writes nothing that is sold by the token', () => {
    for (const operation of ['embedding', 'moderation', 'image', 'rerank', 'token-count'] as const) {
      expect(askedOutputOf(makeIncoming({ max_tokens: 100, n: 3 }, { operation }))).toEqual({
        tokensMax: 0,
        choices: 1,
        tokensMin: 0,
      })
    }
  })
})
