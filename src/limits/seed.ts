import { fromMeterId, metersOf } from './meters.ts'
import type { Policy } from './policy.ts'
import type { Counters, Meter, MeterState, MeterUse, SpentStore } from './ports.ts'
import { usedOf } from './rebuild.ts'

export interface SeedPorts {
  readonly counters: Pick<Counters, 'read' | 'adjust'>
  readonly spent: Pick<SpentStore, 'spent'>
  /** Resolves once everything that was answered here so far is in the ledger. */
  readonly flush: () => Promise<void>
  readonly now: () => number
}

/** Calls that end between two looks make them differ; after this many the difference is taken as it is. */
const LOOKS_MAX = 3
const MINUTE_MS = 60_000

/**
 * Lets a budget or a limit of cost that is new, or has another period now, begin with what was spent already. What was
 * counted all along is left alone.
 *
 * @param before what was set until now
 * @returns what was added to which meter
 * @throws GatewayError `storage_unavailable`; asked again, it adds only what is still missing
 */
export async function seedPolicy(
  ports: SeedPorts,
  policy: Policy,
  before: Policy | undefined,
): Promise<MeterUse[]> {
  const { counters, spent, flush, now } = ports
  const { organizationId, subject } = policy
  const atMs = now()
  const meters = newlyCounted(policy, before, atMs)
  if (meters.length === 0) return []
  for (let look = 1; ; look++) {
    const states = await counters.read(organizationId, meters)
    await flush()
    const booked = await usedOf(
      spent,
      organizationId,
      meters.map((meter) => ({ subject, meter })),
      atMs,
    )
    const after = await counters.read(organizationId, meters)
    if (look < LOOKS_MAX && meters.some((_, index) => usedIn(states, index) !== usedIn(after, index)))
      continue
    // Where calls end all the time the earlier look counts: some of them twice, rather than one not at all.
    const missing = meters
      .map((meter, index) => ({ meter, used: (booked[index] ?? 0) - usedIn(states, index) }))
      .filter(({ used }) => used > 0)
    for (const { meter, used } of missing) {
      // Replicas that hear of the same change see the same, and what they add under one name is added once.
      const seen = usedIn(states, meters.indexOf(meter))
      const name = `seed ${seen} ${Math.floor(atMs / MINUTE_MS)}`
      await counters.adjust(organizationId, meter, used, name)
    }
    return missing
  }
}

/** @returns meters of money that the counters cannot know everything of */
function newlyCounted(policy: Policy, before: Policy | undefined, atMs: number): Meter[] {
  const earlier = new Map(
    before === undefined ? [] : metersOf(before, atMs).map((meter) => [meter.id, meter] as const),
  )
  return metersOf(policy, atMs).filter((meter) => {
    const type = fromMeterId(meter.id)?.type
    if (type !== 'budget' && type !== 'cost_per_day') return false
    const known = earlier.get(meter.id)?.window
    return known === undefined || !isSameWindow(known, meter.window)
  })
}

function isSameWindow(left: Meter['window'], right: Meter['window']): boolean {
  if (left.kind !== 'period' || right.kind !== 'period') return left.kind === right.kind
  return left.startMs === right.startMs && left.endMs === right.endMs
}

function usedIn(states: readonly MeterState[], index: number): number {
  return states[index]?.used ?? 0
}
