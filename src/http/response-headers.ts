import { nanoToUsd } from '../core/money.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'

const WARNINGS_LENGTH_MAX = 1000

/**
 * @param endedMs monotonic; for our own share of the time
 * @returns the headers of a reply: the provider's that are passed on, and what we say about the call
 */
export function toResponseHeaders(exchange: Exchange, reply: Reply, endedMs: number): Record<string, string> {
  const headers: Record<string, string> = { ...reply.headers, 'x-request-id': exchange.id }
  if (exchange.incoming.format === 'messages') headers['request-id'] = exchange.id
  const { attempts, warnings } = exchange
  const last = attempts.at(-1)
  if (last !== undefined) {
    headers['x-gatehouse-provider'] = last.provider
    headers['x-gatehouse-model'] = headerText(last.model)
  }
  headers['x-gatehouse-cache'] = 'miss'
  headers['x-gatehouse-attempts'] = String(attempts.length)
  let waitedMs = 0
  let costNanoUsd = 0
  for (const attempt of attempts) {
    waitedMs += (attempt.endedMs ?? endedMs) - attempt.startedMs
    costNanoUsd += attempt.costNanoUsd
  }
  const isStream = reply.kind === 'stream' || reply.headers['content-type']?.startsWith('text/event-stream')
  if (!isStream) headers['x-gatehouse-cost-usd'] = nanoToUsd(costNanoUsd)
  headers['x-gatehouse-overhead-ms'] = Math.max(0, endedMs - exchange.startedMs - waitedMs).toFixed(2)
  if (warnings.length > 0) {
    const text = warnings.map((warning) => `${warning.param}: ${warning.message}`).join('; ')
    headers['x-gatehouse-warning'] = headerText(text).slice(0, WARNINGS_LENGTH_MAX)
  }
  return headers
}

/** Header values are visible ASCII; names of models and fields come from outside. */
function headerText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : text.replace(/[^\x20-\x7e]/g, '?')
}
