import { GatewayError } from '../core/errors.ts'
import type { ProviderObjects, Resource, ResourceKind, ResourceStore } from './ports.ts'

export interface ListOptions {
  readonly store: ResourceStore
  readonly objects: ProviderObjects
  readonly organizationId: string
  readonly provider: string
  readonly kind: ResourceKind
  /** `limit`, `after`, `order`, `purpose`, as the caller wrote them. */
  readonly query: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly onObject:
    | ((resource: Resource, object: Readonly<Record<string, unknown>>) => Promise<void>)
    | undefined
}

/** A page in OpenAI's shape (`CursorPage` of the `openai` package, version 7). */
export interface ResourcePage {
  readonly object: 'list'
  readonly data: readonly unknown[]
  readonly first_id: string | null
  readonly last_id: string | null
  readonly has_more: boolean
}

// OpenAI's own bound for batches. Its lists of files are longer, but each object is asked for one by one here.
const LIMIT_MAX = 100
const LIMIT_DEFAULT: Readonly<Record<ResourceKind, number>> = { file: 100, batch: 20 }
/** Objects asked for at once, and for one page: what expired at the provider leaves gaps. */
const PARALLEL = 8
const LOOK_UPS_MAX = 300

/**
 * The provider's own list shows everybody's, so the page is made from what is written down, each object as the
 * provider has it now.
 *
 * @throws GatewayError `invalid_request` for a parameter that means nothing
 */
export async function listResources(options: ListOptions): Promise<ResourcePage> {
  const { store, organizationId, provider, kind, query } = options
  const limit = readLimit(query.limit, kind)
  const order = readOrder(query.order)
  const data: Readonly<Record<string, unknown>>[] = []
  let after = query.after === undefined ? undefined : await findCursor(options, query.after)
  let lookUps = 0
  for (;;) {
    const resources = await store.list({ organizationId, provider, kind, order, after, limit: PARALLEL })
    const objects = await Promise.all(resources.map((resource) => look(options, resource)))
    lookUps += resources.length
    for (const object of objects) {
      if (object === undefined || (query.purpose !== undefined && object.purpose !== query.purpose)) continue
      // A full page and one more: there is a next.
      if (data.length === limit) return toPage(data, true)
      data.push(object)
    }
    after = resources.at(-1)
    if (resources.length < PARALLEL) return toPage(data, false)
    if (lookUps >= LOOK_UPS_MAX) return toPage(data, true)
  }
}

async function look(
  { objects, signal, onObject }: ListOptions,
  resource: Resource,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const object = await objects.readObject(resource.provider, resource.kind, resource.id, signal)
  if (object !== undefined) await onObject?.(resource, object)
  return object
}

async function findCursor(
  { store, organizationId, provider, kind }: ListOptions,
  id: string,
): Promise<Resource> {
  const found = await store.find(organizationId, kind, id.slice(0, 200).replaceAll('\0', ''))
  if (found?.provider === provider) return found
  throw new GatewayError('invalid_request', {
    message: 'The parameter `after` names nothing of this list.',
    param: 'after',
  })
}

function readLimit(text: string | undefined, kind: ResourceKind): number {
  if (text === undefined) return LIMIT_DEFAULT[kind]
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1) return Math.min(limit, LIMIT_MAX)
  throw new GatewayError('invalid_request', {
    message: 'The parameter `limit` has to be a whole number from 1.',
    param: 'limit',
  })
}

function readOrder(text: string | undefined): 'asc' | 'desc' {
  if (text === undefined || text === 'desc') return 'desc'
  if (text === 'asc') return 'asc'
  throw new GatewayError('invalid_request', {
    message: 'The parameter `order` has to be `asc` or `desc`.',
    param: 'order',
  })
}

function toPage(data: readonly Readonly<Record<string, unknown>>[], hasMore: boolean): ResourcePage {
  return {
    object: 'list',
    data,
    first_id: idOf(data[0]),
    last_id: idOf(data.at(-1)),
    has_more: hasMore,
  }
}

function idOf(object: Readonly<Record<string, unknown>> | undefined): string | null {
  return typeof object?.id === 'string' ? object.id : null
}
