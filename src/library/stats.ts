import type { EventEmitter } from 'node:events'
import type { GatewayEvents } from '../telemetry/events.ts'

export interface Counts {
  readonly requests: number
  readonly errors: number
  readonly tokensInput: number
  readonly tokensOutput: number
  /** Billionths of a US dollar. */
  readonly costNanoUsd: number
}

/** What has been called since the gateway was made. */
export interface Stats extends Counts {
  /** By `provider/model`; a call that reached no provider counts only above. */
  readonly byModel: Readonly<Record<string, Counts>>
}

const NONE: Counts = { requests: 0, errors: 0, tokensInput: 0, tokensOutput: 0, costNanoUsd: 0 }
const MODELS_MAX = 1000

export function collectStats(events: EventEmitter<GatewayEvents>): () => Stats {
  let total = NONE
  const byModel = new Map<string, Counts>()
  events.on('settled', (_exchange, _outcome, rows) => {
    for (const row of rows) {
      const counts: Counts = {
        requests: row.final ? 1 : 0,
        errors: row.final && row.status >= 400 ? 1 : 0,
        tokensInput: row.tokensInput ?? 0,
        tokensOutput: row.tokensOutput ?? 0,
        costNanoUsd: row.costNanoUsd,
      }
      total = add(total, counts)
      if (row.provider === null) continue
      const name = `${row.provider}/${row.model}`
      if (byModel.has(name) || byModel.size < MODELS_MAX)
        byModel.set(name, add(byModel.get(name) ?? NONE, counts))
    }
  })
  return () => ({ ...total, byModel: Object.fromEntries(byModel) })
}

function add(first: Counts, second: Counts): Counts {
  return {
    requests: first.requests + second.requests,
    errors: first.errors + second.errors,
    tokensInput: first.tokensInput + second.tokensInput,
    tokensOutput: first.tokensOutput + second.tokensOutput,
    costNanoUsd: first.costNanoUsd + second.costNanoUsd,
  }
}
