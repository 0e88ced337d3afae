import { fromNote, type HoldNote } from './hold-note.ts'
import type { Amounts, Counters, Hold, SpentStore } from './ports.ts'
import { every } from './schedule.ts'

export interface SweeperOptions {
  readonly counters: Pick<Counters, 'abandoned' | 'settle' | 'release'>
  readonly spent: Pick<SpentStore, 'settled'>
  /** Resolves once everything that was answered here so far is in the ledger. */
  readonly flush: () => Promise<void>
  /**
   * Books a call that left and of which nothing more is known, as estimated. Its row has the id of the attempt and the
   * moment of the call that the note names, so that the real row and this one are the same settlement.
   *
   * @returns what was booked
   */
  readonly book: (note: HoldNote, hold: Hold) => Promise<Amounts>
  readonly onSwept?: ((swept: Swept) => void) | undefined
  readonly onError: (error: unknown, hold: Hold | undefined) => void
}

/** How many holds ended how. */
export interface Swept {
  /** The ledger had the call already. */
  readonly settled: number
  /** Booked as estimated. */
  readonly booked: number
  /** Never left. */
  readonly released: number
  /** Left to the next sweep, of whoever is first. */
  readonly failed: number
}

/** Ends the holds of processes that died, so that no budget stays held for nobody. */
export interface Sweeper {
  /** @returns what became of the holds whose leases were over; never rejects */
  sweep(): Promise<Swept>
  /** Sweeps every second from now on. */
  start(): void
  /** Resolves once what runs is done. */
  close(): Promise<void>
}

const SWEEP_MS = 1000
/** Holds of one round: the ledger is asked for all of them at once. */
const HOLDS_AT_ONCE = 100
/** A dead process may leave thousands; the next sweep goes on. */
const ROUNDS_MAX = 20

export function createSweeper(options: SweeperOptions): Sweeper {
  const { counters, spent, onError } = options
  let running: Promise<Swept> | undefined
  let schedule: ReturnType<typeof every> | undefined
  let closed = false

  async function sweepOnce(): Promise<Swept> {
    const swept = { settled: 0, booked: 0, released: 0, failed: 0 }
    try {
      for (let round = 0; round < ROUNDS_MAX && !closed; round++) {
        const holds = await counters.abandoned(HOLDS_AT_ONCE)
        if (holds.length > 0) await sweepRound(holds, swept)
        if (holds.length < HOLDS_AT_ONCE) break
      }
    } catch (error) {
      onError(error, undefined)
    }
    if (swept.settled + swept.booked + swept.released + swept.failed > 0) options.onSwept?.(swept)
    return swept
  }

  async function sweepRound(holds: readonly Hold[], swept: { -readonly [Name in keyof Swept]: number }) {
    let booked: ReadonlyMap<string, Amounts>
    try {
      // A call of this process may be over, its settlement lost on the way to the counters, and its row not written yet.
      await options.flush()
      booked = await spent.settled(holds.map(({ holdId }) => holdId))
    } catch (error) {
      // Without the ledger nobody can say what a call came to. The holds come again.
      swept.failed += holds.length
      onError(error, undefined)
      return
    }
    for (const hold of holds) {
      try {
        swept[await end(hold, booked.get(hold.holdId))]++
      } catch (error) {
        swept.failed++
        onError(error, hold)
      }
    }
  }

  async function end(hold: Hold, inLedger: Amounts | undefined): Promise<'settled' | 'booked' | 'released'> {
    const { organizationId, holdId } = hold
    if (inLedger !== undefined) {
      await counters.settle(organizationId, holdId, inLedger)
      return 'settled'
    }
    const note = fromNote(hold.note)
    if (note === undefined) {
      await counters.release(organizationId, holdId)
      return 'released'
    }
    // Booked first: between the two it is counted as held, and never as nothing.
    const booked = await options.book(note, hold)
    // The row of the dead process may have come first, and is the one that stays.
    const kept = await spent.settled([holdId])
    await counters.settle(organizationId, holdId, kept.get(holdId) ?? booked)
    return 'booked'
  }

  function sweep(): Promise<Swept> {
    running ??= sweepOnce().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    sweep,
    start() {
      schedule ??= every(SWEEP_MS, sweep, (error) => onError(error, undefined))
    },
    async close() {
      closed = true
      await schedule?.close()
      await running
    },
  }
}
