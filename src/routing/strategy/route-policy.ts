import type { RoutePolicy, ShadowTarget } from '../../pipeline/exchange.ts'
import type { RouteSettings } from './route-settings.ts'

const AS_THE_PROVIDER_SAYS = {
  firstByteMs: undefined,
  firstTokenMs: undefined,
  idleMs: undefined,
  totalMs: undefined,
} as const

/** Of names that nobody configured, such as `provider/model`: what the configuration's defaults say of routes. */
export const DEFAULT_POLICY: RoutePolicy = Object.freeze({
  fallback: true,
  retries: 2,
  afterFirstToken: 'error',
  hedgeAfterMs: undefined,
  timeouts: AS_THE_PROVIDER_SAYS,
  shadow: undefined,
})

export function toPolicy(settings: RouteSettings): RoutePolicy {
  const { fallback, retries, afterFirstToken, hedgeAfterMs, timeouts, shadow } = settings
  return {
    fallback,
    retries,
    afterFirstToken,
    hedgeAfterMs,
    timeouts: { ...AS_THE_PROVIDER_SAYS, ...timeouts },
    shadow,
  }
}

/**
 * @param random uniform in [0, 1)
 * @returns whether this call is one of those that are copied
 */
export function shouldShadow(shadow: ShadowTarget | undefined, random: number): shadow is ShadowTarget {
  return shadow !== undefined && random < shadow.share
}
