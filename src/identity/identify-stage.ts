import type { Clock } from '../core/clock.ts'
import type { Caller, Exchange } from '../pipeline/exchange.ts'
import type { Stage } from '../pipeline/stage.ts'
import { type KeyRing, requireOpen } from './key-ring.ts'
import type { ApiKey } from './ports.ts'

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
      if (exchange.caller === undefined) {
        const found = ring.find(incoming.credential)
        // Known from here on, also where the key is refused: refusals stand in the books of its organization.
        exchange.caller = toCaller(found.key, incoming.hints.user)
        requireOpen(found, incoming.ip, clock.now())
      }
      if (incoming.problem !== undefined) throw incoming.problem
      return undefined
    },
  }
}

function toCaller(key: ApiKey, user: string | undefined): Caller {
  return {
    organizationId: key.organizationId,
    teamId: key.teamId,
    keyId: key.id,
    // A key that belongs to one user cannot speak for another.
    user: key.user ?? user ?? null,
    models: key.models,
  }
}
