import { describe, expect, it } from 'vitest'
import { Experience, type Observed } from './experience.ts'

const SEEN: Observed = {
  target: 'p/m',
  task: undefined,
  inputBytes: 1000,
  inputTokens: 249,
  outputTokens: 100,
  choices: 1,
  costFactor: 1,
  outputTokensMax: undefined,
  reasons: false,
}

function experienced(...seen: readonly Partial<Observed>[]): Experience {
  const experience = new Experience()
  for (const changes of seen) experience.note({ ...SEEN, ...changes })
  return experience
}

function times(count: number, changes: Partial<Observed>): Partial<Observed>[] {
  return Array.from({ length: count }, () => changes)
}

describe('Experience.usual()', () => {
  it('knows nothing of what was not seen', () => {
    const nothing = {
      inputTokens: undefined,
      outputTokens: undefined,
      costFactor: 1,
      heedsCap: undefined,
      reasons: false,
    }
    expect(experienced().usual('p/m', undefined, 1000)).toEqual(nothing)
    expect(experienced({}).usual('p/other', undefined, 1000)).toEqual(nothing)
  })

  it('expects what it saw', () => {
    expect(experienced({}).usual('p/m', undefined, 1000)).toEqual({
      inputTokens: 250,
      outputTokens: 100,
      costFactor: 1,
      heedsCap: undefined,
      reasons: false,
    })
  })

  it('expects tokens in proportion to bytes, and one more', () => {
    const experience = experienced({})
    expect(experience.usual('p/m', undefined, 1023).inputTokens).toBe(256)
    expect(experience.usual('p/m', undefined, 512).inputTokens).toBe(128)
    expect(experience.usual('p/m', undefined, 4000).inputTokens).toBe(1000)
  })

  it('goes by requests of the same size, or else by shorter ones, and never by longer ones', () => {
    const experience = experienced(
      { inputBytes: 128, inputTokens: 127 },
      { inputBytes: 1024, inputTokens: 255 },
    )
    expect(experience.usual('p/m', undefined, 127).inputTokens).toBeUndefined()
    expect(experience.usual('p/m', undefined, 128).inputTokens).toBe(128)
    expect(experience.usual('p/m', undefined, 255).inputTokens).toBe(255)
    expect(experience.usual('p/m', undefined, 1023).inputTokens).toBe(1023)
    expect(experience.usual('p/m', undefined, 1024).inputTokens).toBe(256)
    expect(experience.usual('p/m', undefined, 1_000_000).inputTokens).toBe(250_000)
    // Output does not go by the size of the request.
    expect(experience.usual('p/m', undefined, 1).outputTokens).toBe(100)
  })

  it('takes an empty request for one of a byte', () => {
    const experience = experienced({ inputBytes: 0, inputTokens: 9 })
    expect(experience.usual('p/m', undefined, 0).inputTokens).toBe(10)
    expect(experience.usual('p/m', undefined, 1).inputTokens).toBe(10)
    expect(experience.usual('p/m', undefined, 100).inputTokens).toBe(1000)
  })

  it('expects of one answer its share of all', () => {
    expect(experienced({ outputTokens: 301, choices: 3 }).usual('p/m', undefined, 1000).outputTokens).toBe(
      101,
    )
  })

  it('goes by the calls of a task once there are enough of them', () => {
    const summaries = { task: 'summary', outputTokens: 50 }
    const seven = experienced(...times(7, summaries), { outputTokens: 900 })
    expect(seven.usual('p/m', 'summary', 1000).outputTokens).toBe(900)
    seven.note({ ...SEEN, ...summaries })
    expect(seven.usual('p/m', 'summary', 1000).outputTokens).toBe(50)
    expect(seven.usual('p/m', 'translation', 1000).outputTokens).toBe(900)
    expect(seven.usual('p/m', undefined, 1000).outputTokens).toBe(900)
  })

  it('keeps no more than 32 tasks of a model apart', () => {
    // Calls of no task are no task.
    const experience = experienced({})
    for (let task = 0; task < 33; task++) {
      for (const seen of times(8, { task: `t${task}`, outputTokens: 200 - task })) {
        experience.note({ ...SEEN, ...seen })
      }
    }
    const usual = (task: string) => experience.usual('p/m', task, 1000).outputTokens
    expect([usual('t0'), usual('t31')]).toEqual([200, 169])
    // Not the 168 of its own, but what all calls together come to.
    expect(usual('t32')).toBe(200)
    // Those that are known are still learned from.
    for (const seen of times(256, { task: 't0', outputTokens: 500 })) experience.note({ ...SEEN, ...seen })
    expect(usual('t0')).toBe(500)
  })

  it('expects cost beyond the quote, and never less than the quote', () => {
    expect(experienced({ costFactor: 1.5 }).usual('p/m', undefined, 1000).costFactor).toBe(1.5)
    expect(experienced({ costFactor: 0.2 }).usual('p/m', undefined, 1000).costFactor).toBe(1)
    expect(experienced({ costFactor: Number.NaN }).usual('p/m', undefined, 1000).costFactor).toBe(1)
  })

  it('finds out whether a model stops at its cap, and once it does not, remembers', () => {
    const heeds = (...seen: readonly Partial<Observed>[]) =>
      experienced(...seen).usual('p/m', undefined, 1000).heedsCap
    const at = { outputTokensMax: 100 }
    const below = { outputTokensMax: 101 }
    const above = { outputTokensMax: 99 }
    expect(heeds(below)).toBeUndefined()
    expect(heeds(at)).toBe(true)
    expect(heeds(at, below)).toBe(true)
    expect(heeds(above)).toBe(false)
    expect(heeds(at, above)).toBe(false)
    expect(heeds(above, at)).toBe(false)
    expect(heeds({})).toBeUndefined()
    // The cap is of one answer.
    expect(heeds({ outputTokens: 300, choices: 3, ...at })).toBe(true)
  })

  it('remembers that a model writes what nobody sees', () => {
    expect(experienced({ reasons: true }, { reasons: false }).usual('p/m', undefined, 1000).reasons).toBe(
      true,
    )
    expect(experienced({}).usual('p/m', undefined, 1000).reasons).toBe(false)
  })

  it('keeps targets apart, the newest 2,000', () => {
    const experience = new Experience()
    for (let target = 0; target < 2000; target++) experience.note({ ...SEEN, target: `p/${target}` })
    experience.note({ ...SEEN, target: 'p/0' })
    expect(experience.usual('p/0', undefined, 1000).outputTokens).toBe(100)
    experience.note({ ...SEEN, target: 'p/2000' })
    expect(experience.usual('p/0', undefined, 1000).outputTokens).toBeUndefined()
    expect(experience.usual('p/1', undefined, 1000).outputTokens).toBe(100)
    expect(experience.usual('p/2000', undefined, 1000).outputTokens).toBe(100)
  })
})
