import type { Caller } from '../pipeline/exchange.ts'
import { budgetMeter, rateMeters } from './meters.ts'
import { type OnLimit, type Policy, SCOPES, type Scope, type Subject } from './policy.ts'
import type { Meter } from './ports.ts'

/** Everything that a call is counted on. */
export interface Covering {
  readonly meters: readonly Meter[]
  /** By the meters of whom; the same order. */
  readonly owners: readonly CompiledPolicy[]
  /** Whether any of the meters can refuse. */
  readonly isLimited: boolean
  readonly failClosed: boolean
}

const NOTHING: Covering = { meters: [], owners: [], isLimited: false, failClosed: false }

/** A policy made ready: its meters are objects that are named with each call, not made for it. */
export class CompiledPolicy {
  readonly policy: Policy
  readonly rates: readonly Meter[]
  private budget: { readonly meter: Meter; readonly startMs: number; readonly endMs: number } | undefined

  constructor(policy: Policy) {
    this.policy = policy
    this.rates = policy.limits === undefined ? [] : rateMeters(policy.subject, policy.limits)
  }

  get subject(): Subject {
    return this.policy.subject
  }

  get onLimit(): OnLimit {
    return this.policy.limits?.onLimit ?? 'reject'
  }

  /** The meter of the budget in the period that a moment is in. */
  budgetAt(atMs: number): Meter | undefined {
    const { subject, budget } = this.policy
    if (budget === undefined) return undefined
    if (this.budget !== undefined && atMs >= this.budget.startMs && atMs < this.budget.endMs)
      return this.budget.meter
    const meter = budgetMeter(subject, budget, atMs)
    if (meter.window.kind !== 'period') return meter
    this.budget = { meter, startMs: meter.window.startMs, endMs: meter.window.endMs }
    return meter
  }
}

type Policies = Record<Scope, Map<string, CompiledPolicy>>

/** A reading of all policies that is under way. */
export interface PolicyReload {
  /** Takes a policy as it was read, unless it changed since the reading began. */
  put(policy: Policy): void
  /** Forgets every policy that was neither read nor changed since. */
  finish(): void
}

/** All policies in memory. Finding what covers a call costs the same for ten policies and for a million. */
export class PolicyBook {
  private readonly byOrganization = new Map<string, Policies>()
  /** Policies put since a reload began, while one is under way. */
  private changed: Set<string> | undefined
  private count = 0

  /** How many subjects have a policy. */
  get size(): number {
    return this.count
  }

  /** A policy without limits and budget is none. */
  put(policy: Policy): void {
    this.changed?.add(keyOf(policy))
    this.keep(policy)
  }

  find(organizationId: string, { scope, id }: Subject): CompiledPolicy | undefined {
    return this.byOrganization.get(organizationId)?.[scope].get(id)
  }

  /** All that is set in an organization, wide scopes first. */
  *ofOrganization(organizationId: string): Generator<CompiledPolicy> {
    const policies = this.byOrganization.get(organizationId)
    if (policies === undefined) return
    for (const scope of SCOPES) yield* policies[scope].values()
  }

  organizations(): IterableIterator<string> {
    return this.byOrganization.keys()
  }

  /**
   * @param atMs Unix milliseconds at which the call came in: it counts in the periods of that moment, as in the ledger
   */
  covering(caller: Caller, tags: Readonly<Record<string, string>>, atMs: number): Covering {
    const policies = this.byOrganization.get(caller.organizationId)
    if (policies === undefined) return NOTHING
    const gathering = new Gathering(atMs)
    const whole = policies.organization.get('')
    gathering.add(whole)
    if (caller.teamId !== null) gathering.add(policies.team.get(caller.teamId))
    if (caller.keyId !== null) gathering.add(policies.key.get(caller.keyId))
    if (caller.user !== null) gathering.add(policies.user.get(caller.user))
    if (policies.tag.size > 0)
      for (const name in tags) gathering.add(policies.tag.get(`${name}=${tags[name]}`))
    const { meters, owners, isLimited } = gathering
    return { meters, owners, isLimited, failClosed: whole?.policy.limits?.failClosed ?? false }
  }

  /** One at a time: what an earlier one has yet to read is not held against changes any more. */
  beginReload(): PolicyReload {
    const changed = new Set<string>()
    this.changed = changed
    const read = new Set<string>()
    return {
      put: (policy) => {
        const key = keyOf(policy)
        read.add(key)
        if (!changed.has(key)) this.keep(policy)
      },
      finish: () => {
        for (const policies of this.byOrganization.values()) {
          for (const scope of SCOPES) {
            for (const { policy } of policies[scope].values()) {
              const key = keyOf(policy)
              if (!read.has(key) && !changed.has(key)) this.remove(policy)
            }
          }
        }
        this.changed = undefined
      },
    }
  }

  private keep(policy: Policy): void {
    if (policy.limits === undefined && policy.budget === undefined) {
      this.remove(policy)
      return
    }
    const { organizationId, subject } = policy
    let policies = this.byOrganization.get(organizationId)
    if (policies === undefined) {
      policies = {
        organization: new Map(),
        team: new Map(),
        key: new Map(),
        user: new Map(),
        tag: new Map(),
      }
      this.byOrganization.set(organizationId, policies)
    }
    const ofScope = policies[subject.scope]
    if (!ofScope.has(subject.id)) this.count++
    ofScope.set(subject.id, new CompiledPolicy(policy))
  }

  private remove({ organizationId, subject }: Policy): void {
    const policies = this.byOrganization.get(organizationId)
    if (policies === undefined) return
    if (policies[subject.scope].delete(subject.id)) this.count--
    if (SCOPES.every((scope) => policies[scope].size === 0)) this.byOrganization.delete(organizationId)
  }
}

class Gathering {
  readonly meters: Meter[] = []
  readonly owners: CompiledPolicy[] = []
  isLimited = false
  private readonly atMs: number

  constructor(atMs: number) {
    this.atMs = atMs
  }

  add(policy: CompiledPolicy | undefined): void {
    if (policy === undefined) return
    for (const meter of policy.rates) this.push(meter, policy)
    const budget = policy.budgetAt(this.atMs)
    if (budget !== undefined) this.push(budget, policy)
  }

  private push(meter: Meter, policy: CompiledPolicy): void {
    this.meters.push(meter)
    this.owners.push(policy)
    if (meter.limit !== null) this.isLimited = true
  }
}

function keyOf({ organizationId, subject }: Policy): string {
  return `${organizationId}\n${subject.scope}\n${subject.id}`
}
