import type { Clock } from '../core/clock.ts'
import { type Admission, createAdmission } from './admission.ts'
import { Experience } from './experience.ts'
import type { Policy } from './policy.ts'
import type { PolicyBook } from './policy-book.ts'
import { openPolicyDirectory } from './policy-directory.ts'
import type { Counters, PolicyStore, SpentStore } from './ports.ts'
import { createRebuilder } from './rebuild.ts'

export interface LimitsOptions {
  readonly counters: Counters
  /** Whether the counters outlive this process. */
  readonly isShared: boolean
  readonly policies: PolicyStore
  readonly spent: SpentStore
  readonly clock: Clock
  /** Resolves once everything that was answered here so far is in the ledger. */
  readonly flush: () => Promise<void>
  /** @returns tokens of a text, by the model's tokenizer */
  readonly countText: (text: string, model: string) => Promise<number>
  readonly onError: (error: unknown, what: string) => void
}

/** Limits and budgets of all organizations, in force. */
export interface LimitsInForce {
  readonly book: PolicyBook
  readonly admission: Admission
  close(): Promise<void>
}

/** @throws GatewayError `storage_unavailable` */
export async function openLimits(options: LimitsOptions): Promise<LimitsInForce> {
  const { counters, clock, onError } = options
  const directory = await openPolicyDirectory({
    store: options.policies,
    onError: (error) => onError(error, 'limits and budgets could not be reloaded'),
  })
  const { book } = directory
  const rebuilder = createRebuilder({
    counters,
    spent: options.spent,
    policiesOf: (organizationId) => policiesOf(book, organizationId),
    flush: options.flush,
    now: () => clock.now(),
    onError: (error) => onError(error, 'an organization could not be counted anew'),
  })
  const admission = createAdmission({
    counters,
    book,
    experience: new Experience(),
    clock,
    keepsNotes: options.isShared,
    rebuild: rebuilder.rebuild,
    countText: options.countText,
    onError: (error) => onError(error, 'a hold could not be settled; it ends with its lease'),
  })
  return {
    book,
    admission,
    async close() {
      admission.close()
      await directory.close()
    },
  }
}

function policiesOf(book: PolicyBook, organizationId: string): Policy[] {
  return Array.from(book.ofOrganization(organizationId), ({ policy }) => policy)
}
