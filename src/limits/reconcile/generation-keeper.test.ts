import { describe, expect, it } from 'vitest'
import { createGenerationKeeper } from './generation-keeper.ts'

/** Counters that can be put back to any state. */
function setUp() {
  const stored = new Map<string, unknown>()
  const state = { generation: 'g1', sequence: 10 }
  const renewed: string[] = []
  const open = () =>
    createGenerationKeeper({
      counters: {
        generation: () => state.generation,
        sequence: () => state.sequence,
        renewGeneration: (lost) => {
          if (lost === state.generation) state.generation = `${lost}+`
          renewed.push(lost)
          return state.generation
        },
      },
      settings: {
        getSetting: async (name) => stored.get(name),
        putSetting: async (name, value) => void stored.set(name, JSON.parse(JSON.stringify(value))),
      },
    })
  return { state, stored, renewed, open, keeper: open() }
}

describe('GenerationKeeper.check()', () => {
  it('takes the counters as they are where nothing was kept, and trusts them while they go on', async () => {
    const { keeper, state, renewed, open } = setUp()
    expect(await keeper.check()).toBe('g1')
    state.sequence = 20
    expect(await keeper.check()).toBe('g1')
    expect(await open().check()).toBe('g1')
    expect(renewed).toEqual([])
  })

  it('begins the next generation where the sequence is smaller than it was', async () => {
    const { keeper, state, renewed } = setUp()
    state.sequence = 20
    await keeper.check()
    state.sequence = 19
    expect(await keeper.check()).toBe('g1+')
    expect(renewed).toEqual(['g1'])
    expect(await keeper.check()).toBe('g1+')
    expect(renewed).toEqual(['g1'])
  })

  it('trusts no other generation at its start: it may be an older one that came back', async () => {
    const { keeper, state, open } = setUp()
    await keeper.check()
    Object.assign(state, { generation: 'g0', sequence: 500 })
    expect(await open().check()).toBe('g0+')
  })

  it('follows others to a new generation later, but not back to a former one', async () => {
    const { keeper, state, renewed } = setUp()
    await keeper.check()
    state.generation = 'g2'
    expect(await keeper.check()).toBe('g2')
    expect(renewed).toEqual([])
    state.generation = 'g1'
    expect(await keeper.check()).toBe('g1+')
  })

  it('looks as at a start until it could look once', async () => {
    const { keeper, state, stored } = setUp()
    await keeper.check()
    let isAway = true
    const late = createGenerationKeeper({
      counters: {
        generation: () => state.generation,
        sequence: () => 0,
        renewGeneration: (lost) => `${lost}+`,
      },
      settings: {
        getSetting: async (name) => {
          if (isAway) throw new Error('away')
          return stored.get(name)
        },
        putSetting: async () => {},
      },
    })
    state.generation = 'g7'
    await expect(late.check()).rejects.toThrow('away')
    isAway = false
    expect(await late.check()).toBe('g7+')
  })

  it('makes nothing of a setting that it cannot read', async () => {
    const { keeper, stored, renewed } = setUp()
    stored.set('limits.counters', 'rubbish')
    expect(await keeper.check()).toBe('g1')
    expect(renewed).toEqual([])
    expect(stored.get('limits.counters')).toEqual({ generation: 'g1', sequence: 10, former: [] })
  })
})
