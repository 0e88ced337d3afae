import type { Subject } from './policy.ts'

/** Takes away what is set, as if it never had been. Implemented in `storage/`, beside `PolicyStore`. */
export interface PolicyRemoval {
  /**
   * @returns whether anything was set
   * @throws GatewayError `storage_unavailable`
   */
  remove(organizationId: string, subject: Subject, what: 'limits' | 'budget'): Promise<boolean>
}
