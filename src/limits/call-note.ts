import { attemptId } from '../core/ids.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { Demand } from './demand.ts'
import { toNote } from './hold-note.ts'

/**
 * @returns what is kept with the hold of a call, for whoever settles it when this process is dead; `undefined` for
 *   calls that cost nothing
 */
export function noteOfCall(exchange: Exchange, demand: Demand): string | undefined {
  const { caller, incoming, plan } = exchange
  const target = plan?.targets[0]
  if (caller === undefined || target === undefined) return undefined
  const { hints } = incoming
  return toNote({
    attemptId: attemptId(exchange.id, 1),
    attempt: 1,
    teamId: caller.teamId,
    keyId: caller.keyId,
    userId: caller.user,
    sessionId: hints.session ?? null,
    tags: hints.tags,
    provider: target.provider,
    model: target.model,
    operation: incoming.operation,
    task: hints.task ?? null,
    format: incoming.format,
    stream: incoming.stream,
    requestedModel: incoming.model === '' ? null : incoming.model,
    tokensInput: demand.plainInput,
    costInputNanoUsd: demand.quoted(demand.plainInput, 0),
    priceVersion: demand.priceVersion,
    receivedAtMs: exchange.receivedAtMs,
  })
}
