import { GatewayError } from '../core/errors.ts'
import type { Stage } from './stage.ts'

const RETRY_AFTER_SECONDS = 60

/** The master switch (`server.enabled`, `LLM_ENABLED`): switched off, every call is refused and booked as that. */
export function createSwitchStage(enabled: boolean): Stage {
  return {
    name: 'switch',
    enter() {
      if (enabled) return undefined
      throw new GatewayError('overloaded', {
        message: 'Calls to models are switched off at the moment.',
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      })
    },
  }
}
