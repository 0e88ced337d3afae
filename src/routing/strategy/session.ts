import type { RoutingCall } from './call-facts.ts'
import { systemBeginning } from './call-text.ts'
import type { RouteSettings } from './route-settings.ts'

/** Enough to tell prompts apart: those of one application seldom begin alike. */
const SYSTEM_LENGTH = 256

/**
 * @returns names what calls of one session have in common: the session that the caller names; where the route asks for
 *   it, also the user and the beginning of the system text. `undefined` = the call stands alone
 */
export function sessionOf(
  { affinity, strategy }: Pick<RouteSettings, 'affinity' | 'strategy'>,
  route: string,
  { incoming, caller }: RoutingCall,
): string | undefined {
  if (affinity === 'off') return undefined
  // The other strategies have something better to go by than habit, unless the route says otherwise.
  if (affinity === undefined && strategy !== 'weighted' && strategy !== 'least-busy') return undefined
  const { session } = incoming.hints
  const owner = caller?.organizationId ?? ''
  if (session !== undefined) return `${owner}\n${route}\nsession\n${session}`
  if (affinity === undefined) return undefined
  const user = caller?.user ?? incoming.hints.user
  if (user === undefined || user === null) return undefined
  const system = systemBeginning(incoming, SYSTEM_LENGTH)
  return system === '' ? undefined : `${owner}\n${route}\nuser\n${user}\n${system}`
}
