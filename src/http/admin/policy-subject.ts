import { z } from 'zod'
import { idParams } from '../../contract/admin.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import { ORGANIZATION, type Subject } from '../../limits/policy.ts'

/** Whose limits and budget a path is about. */
export interface PathSubject {
  readonly organizationId: string
  readonly subject: Subject
}

type Params = Readonly<Record<string, string>>

/** A way to name a subject. */
export interface SubjectPath {
  /** Below `/api/v1`. */
  readonly path: string
  readonly params: z.ZodType<Params>
  /** @throws GatewayError `not_found` */
  find(gateway: Gateway, params: Params): Promise<PathSubject>
}

/** As data-plane calls may name them. */
const NAME_LENGTH_MAX = 256
const TAG = /^[A-Za-z0-9_.-]{1,64}=/

const text = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .refine((value) => !value.includes('\0') && value.isWellFormed(), 'must be text')
const tag = z
  .string()
  .max(64 + 1 + NAME_LENGTH_MAX)
  .regex(TAG, 'must be `name=value`')
  .refine((value) => !value.includes('\0') && value.isWellFormed(), 'must be text')

export const SUBJECT_PATHS: readonly SubjectPath[] = [
  {
    path: '/organizations/:id',
    params: idParams,
    find: async (gateway, { id = '' }) => ({
      organizationId: await organizationOf(gateway, id),
      subject: ORGANIZATION,
    }),
  },
  {
    path: '/teams/:id',
    params: idParams,
    async find(gateway, { id = '' }) {
      const found = await gateway.identityStore.findTeam(undefined, id)
      if (found === undefined) throw missing('team', id)
      return { organizationId: found.organizationId, subject: { scope: 'team', id: found.id } }
    },
  },
  {
    path: '/keys/:id',
    params: idParams,
    async find(gateway, { id = '' }) {
      const found = await gateway.identityStore.findKey(id)
      if (found === undefined) throw missing('key', id)
      return { organizationId: found.organizationId, subject: { scope: 'key', id: found.id } }
    },
  },
  {
    path: '/users/:organization/:user',
    params: z.object({ organization: text, user: text }),
    find: async (gateway, { organization = '', user = '' }) => ({
      organizationId: await organizationOf(gateway, organization),
      subject: { scope: 'user', id: user },
    }),
  },
  {
    path: '/tags/:organization/:tag',
    params: z.object({ organization: text, tag }),
    find: async (gateway, { organization = '', tag: id = '' }) => ({
      organizationId: await organizationOf(gateway, organization),
      subject: { scope: 'tag', id },
    }),
  },
]

/** @throws GatewayError `not_found` */
export async function organizationOf(gateway: Gateway, idOrSlug: string): Promise<string> {
  const found = await gateway.identityStore.findOrganization(idOrSlug)
  if (found === undefined) throw missing('organization', idOrSlug)
  return found.id
}

function missing(what: string, id: string): GatewayError {
  return new GatewayError('not_found', { message: `There is no ${what} \`${id}\`.` })
}
