import type { GatewayError } from '../core/errors.ts'
import type { AlertEvent } from './alert.ts'
import { DAY_MS } from './amounts.ts'

/** A model whose price nobody knows, and what became of a call to it. */
export interface UnknownPrice {
  readonly provider: string
  readonly model: string
  /** Who called first. */
  readonly organizationId: string
  readonly isRefused: boolean
}

/** @returns which price was missing, where that is why a call was refused; see `unknownPrice` in `ledger/prices.ts` */
export function missingPriceOf(error: GatewayError): { provider: string; model: string } | undefined {
  if (error.code !== 'invalid_request' || error.param !== 'model') return undefined
  const { providerName, model } = error.detail ?? {}
  if (typeof providerName !== 'string' || typeof model !== 'string') return undefined
  return { provider: providerName, model }
}

/** Tells of a model whose price nobody knows, once a day. */
export interface UnknownPrices {
  /** Of each call without a known price, so it is quick about those that are told of. */
  note(found: UnknownPrice): void
}

/** Models remembered: callers invent names. */
const SEEN_MAX = 1000

export function createUnknownPrices(report: (event: AlertEvent) => void, now: () => number): UnknownPrices {
  let day = Number.NaN
  let seen = new Set<string>()
  return {
    note(found) {
      const atMs = now()
      const today = Math.floor(atMs / DAY_MS)
      if (today !== day) seen = new Set()
      day = today
      const target = `${found.provider}/${found.model}`
      if (seen.has(target)) return
      if (seen.size >= SEEN_MAX) seen = new Set()
      seen.add(target)
      report(toUnknownPriceAlert(found, atMs))
    },
  }
}

/** One alert for each model and day (UTC). */
export function toUnknownPriceAlert(found: UnknownPrice, atMs: number): AlertEvent {
  const { provider, model, organizationId, isRefused } = found
  const startMs = Math.floor(atMs / DAY_MS) * DAY_MS
  const day = new Date(startMs).toISOString().slice(0, 10)
  const target = `${provider}/${model}`
  return {
    kind: 'unknown_price',
    severity: 'medium',
    organizationId: null,
    dedupeKey: `unknown_price/${target}/${day}`,
    title:
      `No price is known for ${target}: its calls are ` +
      `${isRefused ? 'refused' : 'charged at the configured ceiling'}.`,
    detail: {
      provider,
      model,
      isRefused,
      firstOrganizationId: organizationId,
      setting: `prices.overrides."${target}"`,
    },
    endsAt: new Date(startMs + DAY_MS),
  }
}
