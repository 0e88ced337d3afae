import { GatewayError } from '../core/errors.ts'

/** @returns why a reply was not sent to its end, where nothing else is to blame */
export function callerLeft(): GatewayError {
  return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
}
