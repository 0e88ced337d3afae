import { describe, expect, it, vi } from 'vitest'
import { MemoryCounters } from './memory-counters.ts'
import { NO_BUDGET, ORGANIZATION, type Policy } from './policy.ts'
import type { SpentStore } from './ports.ts'
import { createSeeder } from './seeder.ts'

const NOW = Date.UTC(2026, 1, 10)

function policyOf(organizationId: string): Policy {
  return { organizationId, subject: ORGANIZATION, limits: undefined, budget: NO_BUDGET }
}

/** The ledger answers when it is told to. */
function setUp() {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const spent: Pick<SpentStore, 'spent'> = {
    spent: (organizationId, queries) =>
      new Promise((resolve, reject) => {
        asked.push(organizationId)
        answers.push(() => {
          if (organizationId === 'broken') reject(new Error('away'))
          else resolve(queries.map(() => ({ requests: 0, tokens: 0, costNanoUsd: 700 })))
        })
      }),
  }
  const counters = new MemoryCounters({
    clock: { now: () => NOW, monotonicMs: () => NOW },
    newId: () => 'g',
    unknown: 'begin',
  })
  const adjust = vi.spyOn(counters, 'adjust')
  const onError = vi.fn()
  const seeder = createSeeder({
    ports: { counters, spent, flush: () => Promise.resolve(), now: () => NOW },
    onError,
  })
  const answer = async () => {
    answers.shift()?.()
    await settled()
  }
  return { seeder, asked, answer, onError, adjust }
}

/** Resolves once everything that waits for no answer is done. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

describe('createSeeder()', () => {
  it('lets one budget after the other begin with what was spent', async () => {
    const { seeder, asked, answer, adjust } = setUp()
    seeder.changed(policyOf('a'), undefined)
    seeder.changed(policyOf('b'), undefined)
    await settled()
    expect(asked).toEqual(['a'])
    await answer()
    expect(asked).toEqual(['a', 'b'])
    await answer()
    expect(
      adjust.mock.calls.map(([organizationId, meter, used]) => [organizationId, meter.id, used]),
    ).toEqual([
      ['a', 'organization/budget', 700],
      ['b', 'organization/budget', 700],
    ])
  })

  it('leaves alone what was counted all along', async () => {
    const { seeder, asked } = setUp()
    seeder.changed(policyOf('a'), policyOf('a'))
    await settled()
    expect(asked).toEqual([])
  })

  it('goes on after one that failed', async () => {
    const { seeder, asked, answer, onError, adjust } = setUp()
    seeder.changed(policyOf('broken'), undefined)
    seeder.changed(policyOf('b'), undefined)
    await settled()
    await answer()
    expect(onError.mock.calls).toEqual([[new Error('away')]])
    expect(asked).toEqual(['broken', 'b'])
    await answer()
    expect(adjust).toHaveBeenCalledTimes(1)
  })

  it('takes no more than 10,000 at once, and more again when they are done', async () => {
    const { seeder, asked, answer } = setUp()
    seeder.changed(policyOf('first'), undefined)
    for (let count = 1; count < 10_000; count++) seeder.changed(policyOf('a'), policyOf('a'))
    seeder.changed(policyOf('too many'), undefined)
    await settled()
    await answer()
    for (let tries = 0; tries < 20; tries++) await settled()
    expect(asked).toEqual(['first'])
    seeder.changed(policyOf('later'), undefined)
    await settled()
    expect(asked).toEqual(['first', 'later'])
  })

  it('takes 10,000', async () => {
    const { seeder, asked, answer } = setUp()
    seeder.changed(policyOf('first'), undefined)
    for (let count = 2; count < 10_000; count++) seeder.changed(policyOf('a'), policyOf('a'))
    seeder.changed(policyOf('last'), undefined)
    await settled()
    await answer()
    for (let tries = 0; tries < 20; tries++) await settled()
    expect(asked).toEqual(['first', 'last'])
  })
})
