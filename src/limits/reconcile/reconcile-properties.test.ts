import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type HoldNote, toNote } from '../hold-note.ts'
import { metersOf } from '../meters.ts'
import { createSweeper } from '../sweep.ts'
import { amounts, budgetOf, LEASE_MS, NOW, openHouse } from './fixtures/house.ts'

const KEYS = ['K1', 'K2']
const POLICIES = [
  budgetOf('acme', undefined, 1000),
  ...KEYS.map((id) => budgetOf('acme', { scope: 'key', id }, 700)),
]

type Step =
  | {
      readonly do: 'call'
      readonly keyId: string
      readonly held: number
      readonly cost: number
      readonly end: End
    }
  /** Ends the oldest call that is under way. */
  | { readonly do: 'end' }
  | { readonly do: 'lose' | 'renew' | 'sweep' | 'reconcile' | 'journal' }
  | { readonly do: 'tamper'; readonly meter: number; readonly delta: number }
  | { readonly do: 'pass'; readonly ms: number }

/**
 * What becomes of a call. `settled`: as it should. `unsettled`: booked, but the counters never hear of it. `late`: they
 * hear at once, and its row comes with the next `journal`. `dead`: its process is killed after it was sent, and its
 * row, if there was one, is found in that process's journal later. `unsent`: killed before.
 */
type End = 'settled' | 'unsettled' | 'late' | 'dead' | 'unsent'

const amount = fc.integer({ min: 1, max: 120 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      keyId: fc.constantFrom(...KEYS),
      held: amount,
      cost: amount,
      end: fc.constantFrom<End>('settled', 'settled', 'unsettled', 'late', 'dead', 'unsent'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom<'lose' | 'renew' | 'sweep' | 'reconcile' | 'journal'>(
        'lose',
        'renew',
        'sweep',
        'reconcile',
        'journal',
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('tamper' as const),
      meter: fc.nat({ max: POLICIES.length - 1 }),
      delta: fc.integer({ min: -200, max: 200 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1000, 6000, 31_000) }),
  },
)

/** A house whose calls end in every way that calls do. */
function play() {
  const house = openHouse(POLICIES)
  const { time, counters, books, reconciler } = house
  const underWay: (Extract<Step, { do: 'call' }> & { readonly id: string; readonly atMs: number })[] = []
  const late: Parameters<typeof books.record>[0][] = []
  let calls = 0
  const meters = POLICIES.flatMap((policy) => metersOf(policy, NOW))
  const rowOf = (id: string, keyId: string, atMs: number, costNanoUsd: number) => ({
    id: `${id} attempt`,
    requestId: id,
    organizationId: 'acme',
    keyId,
    atMs,
    tokens: 10,
    costNanoUsd,
  })
  const sweeper = createSweeper({
    counters,
    spent: books,
    flush: books.flush,
    book: async (note, hold) => {
      books.record(rowOf(hold.holdId, note.keyId ?? '', note.receivedAtMs, note.costInputNanoUsd))
      await books.flush()
      return (await books.settled([hold.holdId])).get(hold.holdId) ?? amounts(0)
    },
    onError: (error) => {
      throw error
    },
  })

  async function end({ id, keyId, cost, end: how, atMs }: (typeof underWay)[number]): Promise<void> {
    if (how === 'unsent') return
    const row = rowOf(id, keyId, atMs, cost)
    if (how === 'dead' || how === 'late') late.push(row)
    else books.record(row)
    if (how === 'settled' || how === 'late') await counters.settle('acme', id, amounts(cost))
  }

  async function act(each: Step): Promise<void> {
    switch (each.do) {
      case 'call': {
        const id = `call ${++calls}`
        const note = each.end === 'unsent' ? undefined : toNote(noteOf(id, each.keyId, time.nowMs, each.cost))
        const { granted } = await house.take(id, each.held, { keyId: each.keyId, note })
        if (granted) underWay.push({ ...each, id, atMs: time.nowMs })
        return
      }
      case 'end': {
        const oldest = underWay.shift()
        if (oldest !== undefined) await end(oldest)
        return
      }
      case 'lose':
        house.lose()
        return
      case 'renew':
        await counters.renewGeneration(await counters.generation())
        return
      case 'sweep':
        await sweeper.sweep()
        return
      case 'reconcile':
        await reconciler.reconcile({ repair: true })
        return
      case 'journal':
        for (const row of late.splice(0)) books.record(row)
        return
      case 'tamper': {
        const meter = meters[each.meter]
        if (meter !== undefined) await counters.adjust('acme', meter, each.delta)
        return
      }
      case 'pass':
        time.nowMs += each.ms
    }
  }

  return { house, act, end, sweeper, underWay, late, meters }
}

function noteOf(id: string, keyId: string, receivedAtMs: number, costInputNanoUsd: number): HoldNote {
  return {
    attemptId: `${id} attempt`,
    attempt: 1,
    teamId: null,
    keyId,
    userId: null,
    sessionId: null,
    tags: {},
    provider: 'openai',
    model: 'gpt-4o',
    operation: 'chat',
    task: null,
    format: 'chat',
    stream: false,
    requestedModel: null,
    tokensInput: 10,
    costInputNanoUsd,
    priceVersion: null,
    receivedAtMs,
  }
}

describe('createReconciler()', () => {
  it('brings counters and ledger together, whatever was lost, killed, late or changed by hand', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { house, act, end, sweeper, underWay, late, meters } = play()
        const { time, counters, books, reconciler } = house
        for (const each of steps) await act(each)

        // Everybody stops, whatever waited arrives, leases end.
        for (const call of underWay.splice(0)) await end(call)
        for (const row of late.splice(0)) books.record(row)
        time.nowMs += LEASE_MS + 11_000
        await sweeper.sweep()
        // An excess that was watched before, and grew, is taken away in two parts.
        for (let look = 0; look < 6; look++) {
          await reconciler.reconcile({ repair: true })
          time.nowMs += 31_000
        }

        const report = await reconciler.reconcile({ repair: false })
        expect(report.clean).toBe(true)
        expect(await counters.holds('acme')).toEqual([])
        const states = await counters.read('acme', meters)
        const rows = [...books.rows.values()]
        const spent = ['', ...KEYS].map((keyId) =>
          rows
            .filter((row) => keyId === '' || row.keyId === keyId)
            .reduce((cost, row) => cost + row.costNanoUsd, 0),
        )
        expect(states.map(({ used }) => used)).toEqual(spent)
        expect(states.map(({ held }) => held)).toEqual([0, 0, 0])
        expect(report.meters.map(({ ledgerNanoUsd }) => ledgerNanoUsd).sort()).toEqual([...spent].sort())
      }),
      { numRuns: 500 },
    )
  })

  it('counts exactly what was spent at every moment, while settlements are late and nothing was changed by hand', async () => {
    const honest = step.filter((each) => each.do !== 'tamper' && each.do !== 'lose' && each.do !== 'renew')
    await fc.assert(
      fc.asyncProperty(fc.array(honest, { maxLength: 60 }), async (steps) => {
        const { house, act, meters, late } = play()
        const { counters, books } = house
        for (const each of steps) {
          // A replica brings its rows within seconds: a look finds them late once, and not for a minute.
          if (each.do === 'reconcile') await act({ do: 'journal' })
          await act(each)
          const states = await counters.read('acme', meters)
          const holds = await counters.holds('acme')
          const open = new Set(holds.map(({ holdId }) => holdId))
          const rows = new Map([...books.journal, ...books.rows.values()].map((row) => [row.id, row]))
          const sum = (of: Iterable<{ costNanoUsd: number }>) =>
            [...of].reduce((cost, { costNanoUsd }) => cost + costNanoUsd, 0)
          const settled = [...rows.values()].filter(({ requestId }) => !open.has(requestId))
          const onTheWay = late.filter(({ id, requestId }) => !rows.has(id) && !open.has(requestId))
          expect(states[0]?.held).toBe(sum(holds.map((hold) => hold.amounts)))
          // Nothing that was spent is forgotten for a moment, and nothing is counted that was not.
          expect(states[0]?.used).toBe(sum(settled) + sum(onTheWay))
        }
      }),
      { numRuns: 200 },
    )
  })
})
