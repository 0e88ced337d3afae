import { describe, expect, it, vi } from 'vitest'
import { createBatchWatch } from './batch-watch.ts'
import { batch } from './fixtures/batch.ts'
import { FakeStore } from './fixtures/fake-store.ts'
import type { Resource } from './ports.ts'

const MADE = Date.parse('2026-11-20T12:00:00Z')
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

type Answer = Readonly<Record<string, unknown>> | undefined | Error

function setUp(...resources: readonly Resource[]) {
  const store = new FakeStore(...resources)
  const time = { nowMs: MADE }
  const seen = {
    looked: [] as string[],
    noted: [] as string[],
    kept: [] as string[],
    gone: [] as string[],
    givenUp: [] as [string, boolean][],
    errors: [] as unknown[],
    atOnce: 0,
  }
  /** What the provider says of each batch. */
  const answers = new Map<string, Answer>()
  /** Whether what is over can be booked. */
  const state = { isReadable: true, offers: true, underWay: 0 }
  const settle = (resource: Resource) => store.markSettled(resource, new Date(time.nowMs))
  const watch = createBatchWatch({
    clock: { now: () => time.nowMs, monotonicMs: () => time.nowMs },
    store,
    holds: {
      async keep({ workId }) {
        seen.kept.push(workId)
      },
    },
    settlements: {
      async note(resource, object) {
        seen.noted.push(resource.id)
        if (object.status === 'completed' && state.isReadable) await settle(resource)
      },
      async giveUp(resource, object) {
        seen.givenUp.push([resource.id, object !== undefined])
        await settle(resource)
      },
    },
    inForce: () => ({
      objects: {
        async readObject(_provider, _kind, id) {
          seen.looked.push(id)
          seen.atOnce = Math.max(seen.atOnce, ++state.underWay)
          await Promise.resolve()
          state.underWay--
          const answer = answers.get(id)
          if (answer instanceof Error) throw answer
          return answer
        },
        async *readLines() {},
        discard: async () => {},
      },
      books: { book: () => Promise.reject(new Error('booked')) },
      offers: () => state.offers,
    }),
    onGone: ({ id }) => seen.gone.push(id),
    onError: (error) => seen.errors.push(error),
  })
  return { store, time, seen, answers, state, watch }
}

describe('BatchWatch.look()', () => {
  it('looks after five minutes, then every ten, and keeps what is held', async () => {
    const { watch, time, seen, answers } = setUp(batch())
    answers.set('batch_1', { status: 'in_progress' })
    const looks: number[] = []
    for (let minute = 0; minute <= 30; minute++) {
      time.nowMs = MADE + minute * MINUTE_MS
      const before = seen.looked.length
      await watch.look()
      if (seen.looked.length > before) looks.push(minute)
    }
    expect(looks).toEqual([5, 15, 25])
    expect(seen.kept).toEqual(Array(3).fill('req_1.batch'))
  })

  it('ends with a batch that is over', async () => {
    const { watch, time, seen, answers } = setUp(batch())
    answers.set('batch_1', { status: 'completed' })
    time.nowMs += 5 * MINUTE_MS
    await watch.look()
    time.nowMs += DAY_MS
    await watch.look()
    expect([seen.looked, seen.kept, seen.givenUp]).toEqual([['batch_1'], [], []])
  })

  it('looks at all that are due, those first that wait longest, eight at once', async () => {
    const batches = Array.from({ length: 30 }, (_, index) =>
      batch({ id: `b${index}`, lookAt: new Date(MADE - index) }),
    )
    const { watch, seen, answers } = setUp(...batches, batch({ id: 'later', lookAt: new Date(MADE + 1) }))
    for (const { id } of batches) answers.set(id, { status: 'in_progress' })
    await watch.look()
    expect(seen.looked).toEqual(batches.map(({ id }) => id).reverse())
    expect(seen.atOnce).toBe(8)
  })

  it('keeps what is held while the provider is away, and says so', async () => {
    const { watch, time, seen, answers } = setUp(batch())
    answers.set('batch_1', new Error('away'))
    time.nowMs += 40 * DAY_MS
    await watch.look()
    expect([seen.errors.length, seen.kept.length, seen.givenUp.length]).toEqual([1, 1, 0])
  })

  it.each([
    ['the provider does not know it', true],
    ['its provider is not configured', false],
  ])('gives a batch up after 30 days where %s', async (_why, offers) => {
    const { watch, time, seen, state } = setUp(batch())
    state.offers = offers
    time.nowMs = MADE + 30 * DAY_MS - 1
    await watch.look()
    expect([seen.gone, seen.kept]).toEqual([[], ['req_1.batch']])
    time.nowMs += 10 * MINUTE_MS
    await watch.look()
    expect([seen.gone, seen.givenUp]).toEqual([['batch_1'], [['batch_1', false]]])
    expect(seen.kept).toHaveLength(1)
  })

  it('gives a batch up after 30 days that is over and cannot be booked', async () => {
    const { watch, time, seen, state, answers } = setUp(batch())
    state.isReadable = false
    answers.set('batch_1', { status: 'completed' })
    time.nowMs = MADE + 29 * DAY_MS
    await watch.look()
    expect(seen.givenUp).toEqual([])
    time.nowMs = MADE + 30 * DAY_MS
    await watch.look()
    expect(seen.givenUp).toEqual([['batch_1', true]])
  })

  it('never rejects', async () => {
    const { watch, store, seen } = setUp()
    store.claimDue = () => Promise.reject(new Error('the database is away'))
    await watch.look()
    expect(seen.errors).toHaveLength(1)
  })

  it('is done by itself every minute, until it is closed', async () => {
    vi.useFakeTimers()
    try {
      const { watch, time, seen, answers } = setUp(batch())
      answers.set('batch_1', { status: 'in_progress' })
      time.nowMs += DAY_MS
      watch.start()
      watch.start()
      await vi.advanceTimersByTimeAsync(MINUTE_MS)
      expect(seen.looked).toHaveLength(1)
      await watch.close()
      time.nowMs += DAY_MS
      await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
      expect(seen.looked).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })
})
