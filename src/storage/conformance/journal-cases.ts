import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Journal, LedgerRow } from '../../ledger/ports.ts'
import { ledgerRow } from '../ledger-row-fixture.ts'

export interface JournalOptions {
  readonly bytesMax?: number
}

/** Where the journals of one test are kept. */
export interface JournalPlace {
  open(options?: JournalOptions): Promise<Journal>
  /** Lets the process of a journal die, as seen from the place: what it had confirmed is there for the next `open`. */
  crash(journal: Journal): Promise<void>
  remove(): Promise<void>
}

/** What every durable `Journal` has to do. */
export function testJournal(createPlace: () => Promise<JournalPlace>): void {
  let place: JournalPlace | undefined
  const opened: Journal[] = []
  const dead: Journal[] = []
  let ids = 0

  afterEach(leave)

  async function leave(): Promise<void> {
    for (const journal of opened.splice(0)) await journal.close()
    // One whose process died has nothing to write to.
    await Promise.allSettled(dead.splice(0).map((journal) => journal.close()))
    await place?.remove()
    place = undefined
  }

  async function open(options?: JournalOptions): Promise<Journal> {
    place ??= await createPlace()
    const journal = await place.open(options)
    opened.push(journal)
    return journal
  }

  /** Takes the journal as the next process would find it. */
  async function reopen(journal: Journal, how: 'close' | 'crash'): Promise<Journal> {
    if (how === 'close') {
      await journal.close()
    } else {
      await place?.crash(journal)
      dead.push(...opened.splice(opened.indexOf(journal), 1))
    }
    return open()
  }

  function append(journal: Journal, rows: number): string[] {
    return Array.from({ length: rows }, () => {
      const id = `row-${ids++}`
      journal.append(ledgerRow({ id }))
      return id
    })
  }

  describe('append()', () => {
    it('append() gives every field of a row back as it was', async () => {
      const journal = await open()
      const rows = [
        FULL,
        ledgerRow({ id: 'plain' }),
        ledgerRow({ id: 'strange', userId: '\0 é 漢 🎉 \ud800 "\\' }),
      ]
      for (const row of rows) journal.append(row)
      await journal.appended()
      expect(await takeAll(await reopen(journal, 'crash'))).toEqual(rows)
    })

    it('append() takes a row whose free-form values are no JSON', async () => {
      const journal = await open()
      const circle: Record<string, unknown> = {}
      circle.circle = circle
      journal.append(ledgerRow({ id: 'circle', waterfall: circle, latencyMs: Number.NaN }))
      journal.append(ledgerRow({ id: 'bigint', waterfall: { count: 1n } }))
      journal.append(ledgerRow({ id: 'huge', waterfall: 'x'.repeat(2 * 1024 * 1024) }))
      await journal.appended()
      const rows = await takeAll(await reopen(journal, 'crash'))
      expect(rows.map(({ id, waterfall, costNanoUsd }) => [id, waterfall, costNanoUsd])).toEqual([
        ['circle', null, 1_000_000],
        ['bigint', null, 1_000_000],
        ['huge', null, 1_000_000],
      ])
      expect(rows[0]?.latencyMs).toBe(0)
    })

    it('append() is refused once the journal is closed', async () => {
      const journal = await open()
      await journal.close()
      expect(() => append(journal, 1)).toThrow('The journal is closed.')
      expect(journal.hasRoom).toBe(false)
      await expect(journal.drain(async () => undefined, 1)).rejects.toMatchObject({
        code: 'storage_unavailable',
      })
    })
  })

  describe('handedOver()', () => {
    it('handedOver() promises that the rows survive the process, round after round', async () => {
      const journal = await open()
      expect(journal.handedOver()).toBeUndefined()
      const wanted: string[] = []
      for (let round = 0; round < 20; round++) {
        wanted.push(...append(journal, 1 + (round % 3)))
        await journal.handedOver()
        expect(journal.handedOver()).toBeUndefined()
      }
      const next = await reopen(journal, 'crash')
      // Who reads may be there before what was sent.
      const got = new Set<string>()
      while (got.size < wanted.length) for (const id of await takeIds(next)) got.add(id)
      expect([...got]).toEqual(wanted)
    })
  })

  describe('appended()', () => {
    it('appended() promises that the rows survive the process', async () => {
      const journal = await open()
      const wanted: string[] = []
      for (let round = 0; round < 5; round++) {
        wanted.push(...append(journal, 300))
        await journal.appended()
      }
      expect(await takeIds(await reopen(journal, 'crash'))).toEqual(wanted)
    })

    it('appended() resolves at once where nothing waits', async () => {
      const journal = await open()
      await journal.appended()
    })
  })

  describe('drain()', () => {
    it('drain() delivers batches in order and counts what waits', async () => {
      const journal = await open()
      const wanted = append(journal, 25)
      expect(journal.waitingRows).toBe(25)
      await journal.appended()
      const batches: string[][] = []
      const take = async (rows: readonly LedgerRow[]) => void batches.push(rows.map(({ id }) => id))
      expect(await journal.drain(take, 10)).toBe(10)
      expect(journal.waitingRows).toBe(15)
      expect(await journal.drain(take, 10)).toBe(10)
      expect(await journal.drain(take, 10)).toBe(5)
      expect(await journal.drain(take, 10)).toBe(0)
      expect(batches.map(({ length }) => length)).toEqual([10, 10, 5])
      expect(batches.flat()).toEqual(wanted)
      expect(journal.waitingRows).toBe(0)
    })

    it('drain() delivers the same rows again after a failure, fewer of them where fewer are asked for', async () => {
      const journal = await open()
      const wanted = append(journal, 10)
      await journal.appended()
      await expect(journal.drain(() => Promise.reject(new Error('away')), 10)).rejects.toThrow('away')
      await expect(journal.drain(() => Promise.reject(new Error('away')), 2)).rejects.toThrow('away')
      expect(journal.waitingRows).toBe(10)
      const ids: string[] = []
      await journal.drain(async (rows) => void ids.push(...rows.map(({ id }) => id)), 3)
      expect(ids).toEqual(wanted.slice(0, 3))
      expect(await takeIds(journal)).toEqual(wanted.slice(3))
    })

    it('drain() lets go of what was handed over, for later processes too', async () => {
      const journal = await open()
      append(journal, 10)
      await journal.appended()
      await journal.drain(async () => undefined, 10)
      const left = append(journal, 3)
      const next = await reopen(journal, 'close')
      expect(next.waitingRows).toBe(3)
      expect(await takeIds(next)).toEqual(left)
      const last = await reopen(next, 'close')
      expect(last.waitingRows).toBe(0)
      expect(await takeIds(last)).toEqual([])
    })

    it('drain() takes rows that are appended while it runs, in order', async () => {
      const journal = await open()
      const wanted = append(journal, 5)
      await journal.appended()
      const got: string[] = []
      await journal.drain(async (rows) => {
        wanted.push(...append(journal, 5))
        await journal.appended()
        got.push(...rows.map(({ id }) => id))
      }, 3)
      got.push(...(await takeIds(journal)))
      expect(got).toEqual(wanted)
    })

    it('drain() refuses to run twice at once', async () => {
      const journal = await open()
      append(journal, 1)
      await journal.appended()
      await journal.drain(async () => {
        await expect(journal.drain(async () => undefined, 1)).rejects.toThrow('already')
      }, 1)
    })
  })

  describe('drained()', () => {
    it('drained() waits for the rows taken before it, and for no others', async () => {
      const journal = await open()
      await journal.drained()
      append(journal, 3)
      let resolved = false
      const drained = journal.drained().then(() => {
        resolved = true
      })
      append(journal, 3)
      await journal.appended()
      await journal.drain(async () => undefined, 2)
      expect(resolved).toBe(false)
      await journal.drain(async () => undefined, 1)
      await drained
      expect(journal.waitingRows).toBe(3)
    })
  })

  describe('close()', () => {
    it('close() makes durable what is not yet, and may be called twice', async () => {
      const journal = await open()
      const wanted = append(journal, 20)
      await Promise.all([journal.close(), journal.close()])
      expect(await takeIds(await reopen(journal, 'close'))).toEqual(wanted)
    })
  })

  describe('setAside()', () => {
    it('setAside() keeps a row that is never delivered', async () => {
      const journal = await open()
      await journal.setAside(ledgerRow({ id: 'refused' }), 'no such column')
      expect(await takeIds(await reopen(journal, 'crash'))).toEqual([])
    })
  })

  describe('hasRoom', () => {
    it('hasRoom ends at the bound, rows of calls under way are still taken, and it comes back', async () => {
      const journal = await open({ bytesMax: 20_000 })
      const wanted: string[] = []
      for (let round = 0; journal.hasRoom; round++) {
        expect(round).toBeLessThan(100)
        wanted.push(...append(journal, 1))
        await journal.appended()
      }
      expect(journal.bytes).toBeGreaterThanOrEqual(20_000)
      expect(journal.bytes).toBeLessThan(30_000)
      wanted.push(...append(journal, 5))
      await journal.appended()
      expect(journal.hasRoom).toBe(false)
      const got: string[] = []
      while (got.length < wanted.length - 2) {
        await journal.drain(async (rows) => void got.push(...rows.map(({ id }) => id)), 3)
      }
      expect(journal.hasRoom).toBe(true)
      expect(got.concat(await takeIds(journal))).toEqual(wanted)
    })
  })

  it('delivers every confirmed row at least once and in order, whatever happens in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ kind: fc.constant('append' as const), rows: fc.integer({ min: 1, max: 12 }) }),
            fc.record({ kind: fc.constant('confirm' as const) }),
            fc.record({ kind: fc.constant('drain' as const), rowsMax: fc.integer({ min: 1, max: 10 }) }),
            fc.record({ kind: fc.constant('fail' as const), rowsMax: fc.integer({ min: 1, max: 10 }) }),
            fc.record({ kind: fc.constant('crash' as const) }),
            fc.record({ kind: fc.constant('restart' as const) }),
          ),
          { maxLength: 20 },
        ),
        async (steps) => {
          await leave()
          let journal = await open()
          const taken: string[] = []
          const confirmed = new Set<string>()
          const delivered = new Set<string>()
          const deliver = async (rows: readonly LedgerRow[]) => {
            for (const { id } of rows) delivered.add(id)
          }
          // What a crash met unconfirmed may be gone.
          let crashedAt = 0
          const confirm = () => {
            for (const id of taken.slice(crashedAt)) confirmed.add(id)
          }
          for (const step of steps) {
            if (step.kind === 'append') taken.push(...append(journal, step.rows))
            if (step.kind === 'confirm') await journal.appended().then(confirm)
            if (step.kind === 'drain') await journal.drain(deliver, step.rowsMax)
            if (step.kind === 'fail') {
              const failed = journal.drain(() => Promise.reject(new Error('away')), step.rowsMax)
              await failed.catch((error: Error) => expect(error.message).toBe('away'))
            }
            if (step.kind === 'restart') {
              journal = await reopen(journal, 'close')
              confirm()
            }
            if (step.kind === 'crash') {
              journal = await reopen(journal, 'crash')
              crashedAt = taken.length
            }
          }
          await journal.appended()
          while ((await journal.drain(deliver, 10)) > 0);
          const order = [...delivered].map((id) => taken.indexOf(id))
          expect(order).toEqual(order.toSorted((first, second) => first - second))
          expect([...confirmed].filter((id) => !delivered.has(id))).toEqual([])
        },
      ),
      { numRuns: 25 },
    )
  }, 60_000)
}

async function takeAll(journal: Journal): Promise<LedgerRow[]> {
  const all: LedgerRow[] = []
  await journal.appended()
  while ((await journal.drain(async (rows) => void all.push(...rows), 100)) > 0);
  return all
}

async function takeIds(journal: Journal): Promise<string[]> {
  return (await takeAll(journal)).map(({ id }) => id)
}

/** Every field differs from every other. */
const FULL: LedgerRow = {
  id: 'full',
  requestId: 'req-1',
  attempt: 2,
  final: true,
  organizationId: 'org-1',
  teamId: 'team-1',
  keyId: 'key-1',
  userId: 'user-1',
  sessionId: 'session-1',
  tags: { deal: '4711', cycle: '' },
  provider: 'openai',
  model: 'gpt-4o',
  requestedModel: 'chat-model',
  operation: 'chat',
  task: 'summary',
  format: 'messages',
  stream: true,
  status: 502,
  errorCode: 'upstream_error',
  tokensInput: 11,
  tokensOutput: 12,
  tokensCached: 13,
  tokensCacheWrite: 14,
  tokensReasoning: 15,
  costNanoUsd: Number.MAX_SAFE_INTEGER,
  priceVersion: '2026-11-02',
  estimated: false,
  cache: 'exact',
  latencyMs: 16.5,
  firstTokenMs: 17.25,
  overheadMs: 0.125,
  waterfall: { outcome: 'completed', attempts: [{ usage: { inputTokens: 1 } }] },
  createdAt: new Date('2026-11-20T10:00:00.123Z'),
}
