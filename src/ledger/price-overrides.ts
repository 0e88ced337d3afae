import type { PriceOverride } from './price-desk/ports.ts'
import { priceOfList } from './price-listed.ts'
import type { ResolvedPrice } from './resolved-price.ts'

/** The prices that one organization has of its own. Looking one up allocates nothing. */
export interface OverrideBook {
  /** @returns the price of its own that is in force; `undefined` where there is none */
  find(provider: string, model: string, atMs: number): ResolvedPrice | undefined
}

interface Entry {
  readonly fromMs: number
  readonly price: ResolvedPrice | undefined
}

/** Of one target, the earliest first. */
type Timeline = Entry[]

interface ProviderTargets {
  readonly exact: Map<string, Timeline>
  /** The longest beginning first. */
  prefixes: { readonly prefix: string; readonly timeline: Timeline }[]
}

/**
 * @param overrides of one organization; of two that begin at once, the later in the list holds
 * @param onError told of an override that cannot be charged by; it is left out
 */
export function createOverrideBook(
  overrides: readonly PriceOverride[],
  onError: (error: unknown, override: PriceOverride) => void,
): OverrideBook {
  const providers = new Map<string, ProviderTargets>()
  const inOrder = overrides.toSorted((a, b) => a.validFrom.getTime() - b.validFrom.getTime())
  for (const override of inOrder) {
    try {
      const { organizationId, id, price, validFrom } = override
      timelineOf(providers, override.target).push({
        fromMs: validFrom.getTime(),
        price: price === null ? undefined : priceOfList(`override:${organizationId}:${id}`, price),
      })
    } catch (error) {
      onError(error, override)
    }
  }
  for (const targets of providers.values()) targets.prefixes.sort((a, b) => b.prefix.length - a.prefix.length)

  return {
    find(provider, model, atMs) {
      const targets = providers.get(provider)
      if (targets === undefined) return undefined
      const exact = targets.exact.get(model)
      const price = exact === undefined ? undefined : priceAt(exact, atMs)
      if (price !== undefined) return price
      for (const { prefix, timeline } of targets.prefixes) {
        if (!model.startsWith(prefix)) continue
        const general = priceAt(timeline, atMs)
        if (general !== undefined) return general
      }
      return undefined
    },
  }
}

function timelineOf(providers: Map<string, ProviderTargets>, target: string): Timeline {
  const slash = target.indexOf('/')
  const provider = target.slice(0, slash)
  const model = target.slice(slash + 1)
  let targets = providers.get(provider)
  if (targets === undefined) {
    targets = { exact: new Map(), prefixes: [] }
    providers.set(provider, targets)
  }
  if (!model.endsWith('*')) {
    const timeline = targets.exact.get(model) ?? []
    targets.exact.set(model, timeline)
    return timeline
  }
  const prefix = model.slice(0, -1)
  const known = targets.prefixes.find((each) => each.prefix === prefix)
  if (known !== undefined) return known.timeline
  const timeline: Timeline = []
  targets.prefixes.push({ prefix, timeline })
  return timeline
}

function priceAt(timeline: Timeline, atMs: number): ResolvedPrice | undefined {
  for (let i = timeline.length - 1; i >= 0; i--) {
    const entry = timeline[i]
    if (entry !== undefined && entry.fromMs <= atMs) return entry.price
  }
  return undefined
}
