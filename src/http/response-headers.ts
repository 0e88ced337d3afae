import { nanoToUsd } from '../core/money.ts'
import type { Allowance, Exchange, Room } from '../pipeline/exchange.ts'
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
  addLimitHeaders(headers, exchange.allowance)
  headers['x-gatehouse-overhead-ms'] = Math.max(0, endedMs - exchange.startedMs - waitedMs).toFixed(2)
  if (warnings.length > 0) {
    const text = warnings.map((warning) => `${warning.param}: ${warning.message}`).join('; ')
    headers['x-gatehouse-warning'] = headerText(text).slice(0, WARNINGS_LENGTH_MAX)
  }
  return headers
}

/** Adds how much is left of the limits on requests and tokens, as OpenAI says it, and of the budgets. */
export function addLimitHeaders(headers: Record<string, string>, allowance: Allowance | undefined): void {
  if (allowance === undefined) return
  const { requests, tokens, budgetRemainingNanoUsd } = allowance
  if (requests !== undefined) addRoom(headers, 'requests', requests)
  if (tokens !== undefined) addRoom(headers, 'tokens', tokens)
  if (budgetRemainingNanoUsd !== undefined)
    headers['x-gatehouse-budget-remaining-usd'] = nanoToUsd(budgetRemainingNanoUsd)
}

function addRoom(headers: Record<string, string>, of: 'requests' | 'tokens', room: Room): void {
  headers[`x-ratelimit-limit-${of}`] = String(room.limit)
  headers[`x-ratelimit-remaining-${of}`] = String(room.remaining)
  headers[`x-ratelimit-reset-${of}`] = toDuration(room.resetsInMs ?? 0)
}

/** @returns `6m0s`, `1.5s`, `20ms`: how OpenAI writes when a limit begins anew */
function toDuration(ms: number): string {
  const whole = Math.ceil(ms)
  if (whole < 1000) return `${whole}ms`
  if (whole < 60_000) return `${whole / 1000}s`
  const seconds = Math.ceil(whole / 1000)
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  return `${hours > 0 ? `${hours}h` : ''}${minutes}m${seconds % 60}s`
}

/** Header values are visible ASCII; names of models and fields come from outside. */
function headerText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : text.replace(/[^\x20-\x7e]/g, '?')
}
