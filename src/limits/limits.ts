import type { Clock } from '../core/clock.ts'
import { type Admission, createAdmission } from './admission.ts'
import { type BatchHolds, createBatchHolds, type HeldBatch } from './batch-holds.ts'
import { Experience } from './experience.ts'
import type { HoldNote } from './hold-note.ts'
import type { Policy } from './policy.ts'
import type { PolicyBook } from './policy-book.ts'
import { openPolicyDirectory } from './policy-directory.ts'
import type { Amounts, Counters, Hold, PolicyStore, SpentStore } from './ports.ts'
import { createRebuilder } from './rebuild.ts'
import type { Settings } from './reconcile/generation-keeper.ts'
import type { ReconcileStore } from './reconcile/ports.ts'
import { createReconciler, type Reconciler } from './reconcile/reconciler.ts'
import type { DriftEvent } from './reconcile/report.ts'
import { createSeeder } from './seeder.ts'
import { createSettling } from './settling.ts'
import { createSweeper } from './sweep.ts'

/** What counters hear back from whoever knows the books. */
export interface CountersHooks {
  /** An organization's counters may differ from the ledger; rejects where they cannot be compared now. */
  readonly onDoubt: (organizationId: string) => Promise<void>
  readonly onAway: (error: Error | undefined) => void
  readonly onError: (error: unknown) => void
}

/** Counters, and whether other replicas count in them too, so that they outlive this process. */
export interface OpenedCounters {
  readonly counters: Counters
  readonly isShared: boolean
}

export interface LimitsOptions {
  readonly openCounters: (hooks: CountersHooks) => OpenedCounters
  readonly policies: PolicyStore
  readonly spent: SpentStore
  readonly reconciliation: ReconcileStore
  readonly settings: Settings
  readonly clock: Clock
  /** Resolves once everything that was answered here so far is in the ledger. */
  readonly flush: () => Promise<void>
  /** @returns tokens of a text, by the model's tokenizer */
  readonly countText: (text: string, model: string) => Promise<number>
  /** Books a call that a dead process left, as estimated. @returns what was booked */
  readonly book: (note: HoldNote, hold: Hold) => Promise<Amounts>
  /** Batches of an organization that are not booked. */
  readonly openBatches: (organizationId: string) => Promise<readonly HeldBatch[]>
  /** Whether this replica is the one that does the work that one does for all. */
  readonly lead: () => Promise<boolean>
  /** Something differs that only people can put right. */
  readonly onDrift: (event: DriftEvent) => void
  readonly onError: (error: unknown, what: string) => void
  readonly onAway: (error: Error | undefined) => void
}

/** Limits and budgets of all organizations, in force. */
export interface LimitsInForce {
  readonly counters: Counters
  readonly book: PolicyBook
  readonly admission: Admission
  readonly batches: BatchHolds
  readonly experience: Experience
  readonly reconciler: Reconciler
  close(): Promise<void>
}

/** What another replica settled is in the ledger by then: its journal is drained once a second. */
const SETTLING_MS = 3000

/** @throws GatewayError `storage_unavailable` */
export async function openLimits(options: LimitsOptions): Promise<LimitsInForce> {
  const { policies, spent, clock, flush, onError } = options
  const now = () => clock.now()
  let reconciler: Reconciler | undefined
  const { counters, isShared } = options.openCounters({
    onDoubt: (organizationId) => reconciler?.makeSure(organizationId) ?? Promise.resolve(),
    onAway: options.onAway,
    onError: (error) => onError(error, 'counters failed in the background'),
  })
  const seeder = createSeeder({
    ports: { counters, spent, flush, now },
    onError: (error) => onError(error, 'a new budget could not begin with what was spent already'),
  })
  const directory = await openPolicyDirectory({
    store: policies,
    onChange: seeder.changed,
    onError: (error) => onError(error, 'limits and budgets could not be reloaded'),
  })
  const { book } = directory
  const policiesOf = (organizationId: string): Policy[] =>
    Array.from(book.ofOrganization(organizationId), ({ policy }) => policy)
  const batches = createBatchHolds({
    counters,
    book,
    spent,
    openBatches: options.openBatches,
    rebuild: (organizationId, generation) => rebuilder.rebuild(organizationId, generation),
    now,
    onError: (error) => onError(error, 'a batch could not be held again; the next look at it does'),
  })
  const rebuilder = createRebuilder({
    counters,
    spent,
    async policiesOf(organizationId) {
      await batches.prepare(organizationId)
      return policiesOf(organizationId)
    },
    flush,
    now,
    settled: createSettling({
      settlingMs: isShared ? SETTLING_MS : 0,
      // Where the counters are away nobody knows what they lose until they are back.
      present: await Promise.resolve(counters.generation()).catch(() => undefined),
      wait: (ms) => wait(ms, undefined),
      monotonicMs: () => clock.monotonicMs(),
    }),
    onRebuilt(organizationId) {
      batches.holdAgain(organizationId)
      reconciler?.lookSoon(organizationId)
    },
    onError: (error) => onError(error, 'an organization could not be counted anew'),
  })
  reconciler = createReconciler({
    counters,
    spent,
    store: options.reconciliation,
    policiesOf,
    ensure: rebuilder.ensure,
    flush,
    settings: options.settings,
    now,
    settlingMs: isShared ? SETTLING_MS : 0,
    wait,
    lead: options.lead,
    onDrift: options.onDrift,
    onError: (error) => onError(error, 'usage could not be reconciled'),
  })
  const sweeper = createSweeper({
    counters: {
      // A clock that was put forward ends leases of calls that live.
      abandoned: async (max) =>
        (await counters.abandoned(max)).filter(({ holdId }) => !admission.keepAlive(holdId)),
      settle: (...end) => counters.settle(...end),
      release: (...end) => counters.release(...end),
    },
    spent,
    flush,
    book: options.book,
    onError: (error) => onError(error, 'an abandoned hold could not be settled yet'),
  })
  const experience = new Experience()
  const admission = createAdmission({
    counters,
    book,
    experience,
    clock,
    keepsNotes: isShared,
    rebuild: rebuilder.rebuild,
    countText: options.countText,
    onError: (error) => onError(error, 'a hold could not be settled; it ends with its lease'),
  })
  await reconciler.start()
  sweeper.start()
  return {
    counters,
    book,
    admission,
    batches,
    experience,
    reconciler,
    async close() {
      admission.close()
      await directory.close()
      await sweeper.close()
      await reconciler?.close()
      await counters.close()
    },
  }
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
  })
}
