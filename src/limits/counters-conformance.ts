import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { testHolds } from './counters-hold-cases.ts'
import { testLosses } from './counters-loss-cases.ts'
import { testProperties } from './counters-properties.ts'
import type { Bench, CountersTarget, OpenCounters } from './counters-samples.ts'
import { testTakes } from './counters-take-cases.ts'

/** What every `Counters` has to do. */
export function describeCounters(name: string, open: OpenCounters): void {
  describe(name, () => {
    let target: CountersTarget | undefined
    beforeAll(async () => {
      target = await open({ unknown: 'begin' })
    })
    afterAll(async () => {
      await target?.close()
    })
    const bench = (): Bench => {
      const [counters] = target?.replicas ?? []
      if (target === undefined || counters === undefined) throw new Error('The counters are not open.')
      return { target, counters, organizationId: randomUUID() }
    }
    testTakes(bench)
    testHolds(bench)
    testProperties(bench)
    testLosses(open)
  })
}
