import { GatewayError } from '../../core/errors.ts'
import type { Warning } from '../provider.ts'

/** Collects what a mapper has to say about a request that it could not write in full. */
export class Notes {
  readonly warnings: Warning[] = []

  warn(param: string, message: string): void {
    this.warnings.push({ param, message })
  }
}

export function unsupported(param: string, message: string): GatewayError {
  return new GatewayError('unsupported_feature', { message, param })
}
