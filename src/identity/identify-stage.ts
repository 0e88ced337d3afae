import type { Clock } from '../core/clock.ts'
import type { Caller, Exchange } from '../pipeline/exchange.ts'
import type { Stage } from '../pipeline/stage.ts'
import type { KeyRing } from './key-ring.ts'

/**
 * Who calls: from memory, by the hash of the key. Calls of the embedded library come with their caller set.
 *
 * What is wrong with the request itself is told from here on only: a stranger learns nothing but that the key is
 * missing, and the refusal is booked on the organization that sent it.
 */
export function createIdentifyStage(ring: KeyRing, clock: Clock): Stage {
  return {
    name: 'identify',
    enter(exchange: Exchange) {
      const { incoming } = exchange
      exchange.caller ??= toCaller(ring, exchange, clock.now())
      if (incoming.problem !== undefined) throw incoming.problem
      return undefined
    },
  }
}

function toCaller(ring: KeyRing, exchange: Exchange, nowMs: number): Caller {
  const { credential, ip, hints } = exchange.incoming
  const key = ring.identify(credential, ip, nowMs)
  return {
    organizationId: key.organizationId,
    teamId: key.teamId,
    keyId: key.id,
    // A key that belongs to one user cannot speak for another.
    user: key.user ?? hints.user ?? null,
    models: key.models,
  }
}
