import { describe, expect, it } from 'vitest'
import { batch } from './fixtures/batch.ts'
import { FakeStore } from './fixtures/fake-store.ts'
import type { BatchBill, HeldBatch, LeaseStore, Resource } from './ports.ts'
import { createSettlements } from './settlements.ts'

const OVER = { status: 'completed', completed_at: 1_795_000_000, model: 'm', output_file_id: 'file-out' }

/** Replicas on one store, with one ledger. */
function setUp(...resources: readonly Resource[]) {
  const store = new FakeStore(...resources)
  const holders = new Map<string, string>()
  const leases: LeaseStore = {
    async take(name, holder) {
      if ((holders.get(name) ?? holder) !== holder) return false
      holders.set(name, holder)
      return true
    },
    async release(name, holder) {
      if (holders.get(name) === holder) holders.delete(name)
    },
  }
  const seen = {
    bills: [] as BatchBill[],
    settled: [] as [HeldBatch['workId'], number, boolean][],
    released: [] as string[],
    errors: [] as unknown[],
    read: 0,
  }
  const fail = { book: 0, settle: 0 }
  const open = (holder: string) =>
    createSettlements({
      clock: { now: () => 7, monotonicMs: () => 7 },
      store,
      leases,
      holder,
      holds: {
        async settle({ workId }, costNanoUsd, isNew) {
          if (fail.settle-- > 0) throw new Error('the counters are away')
          seen.settled.push([workId, costNanoUsd, isNew])
        },
        async release({ workId }) {
          seen.released.push(workId)
        },
      },
      readUsage: (body) => {
        const { tokens } = body as { tokens?: number }
        return { usage: tokens === undefined ? {} : { inputTokens: tokens, outputTokens: 0 }, units: {} }
      },
      onError: (error) => seen.errors.push(error),
    })
  const means = {
    objects: {
      readObject: async () => undefined,
      async *readLines() {
        seen.read++
        yield '{"response":{"status_code":200,"body":{"model":"m","tokens":5}}}'
        yield '{"response":{"status_code":200,"body":{"model":"m","tokens":6}}}'
      },
      discard: async () => {},
    },
    books: {
      async book(bill: BatchBill) {
        if (fail.book-- > 0) throw new Error('the ledger is away')
        const isNew = seen.bills.length === 0
        seen.bills.push(bill)
        const tokens = bill.work.reduce((sum, { usage }) => sum + (usage.inputTokens ?? 0), 0)
        return { costNanoUsd: tokens + (bill.unknownNanoUsd ?? 0), isNew }
      },
    },
  }
  return { store, leases, holders, seen, fail, means, open, settlements: open('A') }
}

const settledAt = async (store: FakeStore) => (await store.find('org', 'batch', 'batch_1'))?.settledAt

describe('Settlements.note()', () => {
  it('books a batch that is over, settles its hold and marks it, in this order', async () => {
    const { settlements, store, seen, means } = setUp(batch())
    await settlements.note(batch(), OVER, means)
    expect(seen.bills).toMatchObject([
      {
        workId: 'req_1.batch',
        work: [{ model: 'm', usage: { inputTokens: 11 } }],
        endedAt: new Date(1_795_000_000_000),
      },
    ])
    expect(seen.settled).toEqual([['req_1.batch', 11, true]])
    expect(await settledAt(store)).toEqual(new Date(7))
  })

  it('gives what it put out to whoever made it, without its hold and its looks', async () => {
    const { settlements, store, means } = setUp(batch())
    await settlements.note(
      batch(),
      { status: 'in_progress', output_file_id: 'file-out', error_file_id: 'no id' },
      means,
    )
    expect(await store.find('org', 'file', 'file-out')).toMatchObject({
      keyId: 'key',
      heldNanoUsd: null,
      lookAt: null,
      settledAt: null,
    })
    expect(store.resources.size).toBe(2)
  })

  it('books a batch once that two replicas see at the same time, and reads its output once', async () => {
    const { open, seen, means } = setUp(batch())
    const replicas = [open('A'), open('B'), open('C')]
    await Promise.all(replicas.flatMap((each) => [1, 2].map(() => each.note(batch(), OVER, means))))
    expect([seen.bills.length, seen.settled.length, seen.read]).toEqual([1, 1, 1])
  })

  it('does nothing about a batch that another replica booked since it was read', async () => {
    const { settlements, seen, means } = setUp(batch({ settledAt: new Date(1) }))
    await settlements.note(batch(), OVER, means)
    expect([seen.bills, seen.settled]).toEqual([[], []])
  })

  it('leaves it to the next look where it could not be booked', async () => {
    const { settlements, store, seen, fail, means } = setUp(batch())
    fail.book = 1
    await settlements.note(batch(), OVER, means)
    expect(seen.errors).toHaveLength(1)
    expect(await settledAt(store)).toBeNull()
    await settlements.note(batch(), OVER, means)
    expect(seen.settled).toEqual([['req_1.batch', 11, true]])
  })

  it('settles as booked before what was stored and not counted', async () => {
    const { settlements, store, seen, fail, means, holders } = setUp(batch())
    fail.settle = 1
    await settlements.note(batch(), OVER, means)
    expect(await settledAt(store)).toBeNull()
    expect(holders.size).toBe(0)
    await settlements.note(batch(), OVER, means)
    expect(seen.settled).toEqual([['req_1.batch', 11, false]])
    expect(await settledAt(store)).toEqual(new Date(7))
  })

  it('begins nothing once closed', async () => {
    const { settlements, seen, means } = setUp(batch())
    await settlements.close()
    await settlements.note(batch(), OVER, means)
    expect(seen.bills).toEqual([])
  })
})

describe('Settlements.giveUp()', () => {
  it('gives back what is held for a batch that nobody knows any more', async () => {
    const { settlements, store, seen, means } = setUp(batch())
    await settlements.giveUp(batch(), undefined, means)
    expect([seen.released, seen.bills]).toEqual([['req_1.batch'], []])
    expect(await settledAt(store)).toEqual(new Date(7))
  })

  it('books what was held for a batch that is over and whose output cannot be read', async () => {
    const { settlements, store, seen, means } = setUp(batch())
    await settlements.giveUp(batch(), OVER, means)
    expect(seen.bills).toMatchObject([{ work: [], unknownNanoUsd: 500 }])
    expect([seen.settled, seen.read]).toEqual([[['req_1.batch', 500, true]], 0])
    expect(await settledAt(store)).toEqual(new Date(7))
  })
})
