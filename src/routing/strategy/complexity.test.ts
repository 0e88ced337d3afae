import { describe, expect, it } from 'vitest'
import { type ComplexityFacts, complexityOf } from './complexity.ts'

const SHORT: ComplexityFacts = {
  inputTokens: 20,
  hasCode: false,
  tools: 0,
  hasSchema: false,
  asksForReasoning: false,
  task: 'chat',
  turns: 1,
}

describe('complexityOf()', () => {
  it('finds a greeting easy, and says so without parts', () => {
    expect(complexityOf(SHORT)).toEqual({ score: 0, parts: '', tier: 'small' })
  })

  it('names the parts, the largest first', () => {
    const { parts, tier } = complexityOf({ ...SHORT, inputTokens: 2000, task: 'analysis', hasSchema: true })
    expect(parts).toBe('analysis 25, length 16, schema 5')
    expect(tier).toBe('large')
  })

  it('grows with everything that makes a call harder, and ends at 100', () => {
    const harder: readonly Partial<ComplexityFacts>[] = [
      { inputTokens: 5000 },
      { hasCode: true },
      { tools: 3 },
      { hasSchema: true },
      { asksForReasoning: true },
      { task: 'code' },
      { turns: 9 },
    ]
    let facts = SHORT
    let last = 0
    for (const change of harder) {
      facts = { ...facts, ...change }
      const { score } = complexityOf(facts)
      expect(score).toBeGreaterThan(last)
      last = score
    }
    expect(complexityOf({ ...facts, inputTokens: 1e9, tools: 1e6, turns: 1e6, task: 'analysis' }).score).toBe(
      100,
    )
  })
})
