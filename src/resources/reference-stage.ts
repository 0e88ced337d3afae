import { GatewayError } from '../core/errors.ts'
import type { Stage } from '../pipeline/stage.ts'
import type { ResourceStore } from './ports.ts'
import { findReferences, mayHoldReferences } from './references.ts'

export interface ReferenceStageOptions {
  readonly store: Pick<ResourceStore, 'find'>
  /** @returns whether more than one organization shares the providers' accounts */
  readonly isShared: () => boolean
}

/**
 * Files, stored conversations and caches lie in the provider's account, which organizations share: naming one must
 * not be enough to read it. A file has to be the caller's own. Of stored conversations nobody knows whose they are, so
 * they are refused as soon as a second organization is there.
 */
export function createReferenceStage({ store, isShared }: ReferenceStageOptions): Stage {
  return {
    name: 'references',
    enter({ incoming, caller }) {
      const { body, json } = incoming
      if (json === undefined || body === undefined || caller === undefined) return undefined
      if (!isShared() || !mayHoldReferences(body)) return undefined
      return requireOwn(caller.organizationId, json)
    },
  }

  async function requireOwn(organizationId: string, json: unknown): Promise<undefined> {
    for (const { kind, id, path } of findReferences(json)) {
      if (kind === 'state') {
        throw new GatewayError('unsupported_feature', {
          message:
            `\`${path}\` names something in a provider's account that several organizations share here. ` +
            'Send the conversation itself.',
          param: path,
        })
      }
      if ((await store.find(organizationId, 'file', id)) === undefined) {
        throw new GatewayError('not_found', {
          message: `There is no file \`${id.slice(0, 128)}\`.`,
          param: path,
        })
      }
    }
    return undefined
  }
}
