import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, Exchange, ResourceRequest } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Call } from '../pipeline/run.ts'
import { isOver, modelOfRequest } from './batch-work.ts'
import type { BatchBooks, ProviderObjects, Resource, ResourceKind, ResourceStore } from './ports.ts'
import { listResources } from './resource-list.ts'
import type { Settlements } from './settlements.ts'

export interface ResourceCallOptions {
  readonly clock: Clock
  readonly store: ResourceStore
  readonly objects: ProviderObjects
  readonly books: BatchBooks
  readonly settlements: Settlements
  /** @returns names of the providers that have files or batches in OpenAI's shape */
  readonly providersWith: (kind: ResourceKind) => readonly string[]
  /** @throws GatewayError `model_not_allowed` */
  readonly requireModel: (allowed: readonly string[] | null, names: readonly string[]) => void
  /** Calls the provider that the plan names. */
  readonly forward: Call
}

/** One request about files or batches. */
interface Visit {
  readonly exchange: Exchange
  readonly caller: Caller
  readonly kind: ResourceKind
  readonly request: ResourceRequest
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Files and batches of many organizations lie in one account at a provider. Here each organization sees its own:
 * what it made is written down, and nothing is forwarded about anything else. Every other operation passes.
 */
export function createResourceCall(options: ResourceCallOptions): Call {
  const { clock, store, objects, books, settlements, forward } = options

  return (exchange) => {
    const { operation, forward: request } = exchange.incoming
    if (request?.resource === undefined || (operation !== 'file' && operation !== 'batch'))
      return forward(exchange)
    const { caller } = exchange
    if (caller === undefined) throw new Error('The identify stage left no caller.')
    const visit: Visit = { exchange, caller, kind: operation, request: request.resource }
    switch (visit.request.action) {
      case 'create':
        return operation === 'file' ? createFile(visit) : createBatch(visit)
      case 'list':
        return list(visit)
      default:
        return useOne(visit)
    }
  }

  async function createFile(visit: Visit): Promise<Reply> {
    const provider = chooseProvider(options.providersWith('file'), visit)
    const reply = await forwardTo(visit, provider)
    if (reply.status < 400) await keep(visit, provider, visit.kind, idOf(bodyOf(reply)))
    return reply
  }

  async function createBatch(visit: Visit): Promise<Reply> {
    const { exchange, caller } = visit
    const fileId = exchange.incoming.json?.input_file_id
    if (typeof fileId !== 'string') {
      throw new GatewayError('invalid_request', {
        message: 'The field `input_file_id` has to name a file.',
        param: 'input_file_id',
      })
    }
    const file = await find(visit, 'file', fileId, 'input_file_id')
    if (!options.providersWith('batch').includes(file.provider)) throw notOffered(file.provider, 'batch')
    if (caller.models !== null) await requireModels(file, caller.models, exchange.signal)
    const reply = await forwardTo(visit, file.provider)
    if (reply.status >= 400) return reply
    const object = bodyOf(reply)
    const batch = await keep(visit, file.provider, 'batch', idOf(object))
    await noteBatch(batch, object)
    return reply
  }

  async function useOne(visit: Visit): Promise<Reply> {
    const { kind, request } = visit
    const resource = await find(visit, kind, request.id, undefined)
    const reply = await forwardTo(visit, resource.provider)
    if (reply.status >= 400) return reply
    if (kind === 'batch') await noteBatch(resource, bodyOf(reply))
    else if (request.action === 'remove') await store.remove(resource)
    return reply
  }

  async function list(visit: Visit): Promise<Reply> {
    const { exchange, caller, kind, request } = visit
    const provider = chooseProvider(options.providersWith(kind), visit)
    const page = await listResources({
      store,
      objects,
      organizationId: caller.organizationId,
      provider,
      kind,
      query: request.query,
      signal: exchange.signal,
      onObject: kind === 'batch' ? noteBatch : undefined,
    })
    return {
      kind: 'forward',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(page)),
    }
  }

  /** Keys that may use some models only must not reach the others through a file. */
  async function requireModels(
    file: Resource,
    models: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    for await (const line of objects.readLines(file.provider, file.id, signal)) {
      if (line.trim() === '') continue
      const model = modelOfRequest(line)
      options.requireModel(models, [model, `${file.provider}/${model}`])
    }
  }

  /** What a batch put out belongs to whoever made it; once over, it is booked. */
  async function noteBatch(batch: Resource, object: Fields): Promise<void> {
    for (const id of [object.output_file_id, object.error_file_id]) {
      if (typeof id === 'string' && isId(id)) await store.add({ ...batch, id, kind: 'file', settledAt: null })
    }
    if (batch.settledAt === null && isOver(object))
      await settlements.settle(batch, object, { objects, books })
  }

  /** Writes down what was just made; what nobody would own is undone. */
  async function keep(visit: Visit, provider: string, kind: ResourceKind, id: string): Promise<Resource> {
    const { exchange, caller } = visit
    const { session, task, tags } = exchange.incoming.hints
    const resource: Resource = {
      id,
      provider,
      kind,
      organizationId: caller.organizationId,
      teamId: caller.teamId,
      keyId: caller.keyId,
      userId: caller.user,
      sessionId: session ?? null,
      task: task ?? null,
      tags,
      requestId: exchange.id,
      createdAt: new Date(clock.now()),
      settledAt: null,
    }
    try {
      await store.add(resource)
    } catch (error) {
      await objects.discard(provider, kind, id).catch(() => undefined)
      throw error
    }
    return resource
  }

  /** @throws GatewayError `not_found`, the same for what is not there and for what belongs to others */
  async function find(
    { caller, request }: Visit,
    kind: ResourceKind,
    id: string,
    param: string | undefined,
  ): Promise<Resource> {
    const found = isId(id) ? await store.find(caller.organizationId, kind, id) : undefined
    const elsewhere = request.provider !== undefined && found?.provider !== request.provider
    if (found !== undefined && !elsewhere && options.providersWith(kind).includes(found.provider))
      return found
    throw new GatewayError('not_found', { message: `There is no ${kind} \`${id.slice(0, 100)}\`.`, param })
  }

  function forwardTo({ exchange }: Visit, provider: string): Promise<Reply> {
    exchange.plan = { route: provider, targets: [{ provider, model: '', reason: 'where the resource is' }] }
    return forward(exchange)
  }
}

/**
 * @param candidates providers that have the operation
 * @throws GatewayError `invalid_request` where it is not clear which one is meant
 */
function chooseProvider(candidates: readonly string[], { kind, request }: Visit): string {
  const { provider } = request
  if (provider !== undefined) {
    if (candidates.includes(provider)) return provider
    throw notOffered(provider, kind)
  }
  const [only, second] = candidates
  if (only !== undefined && second === undefined) return only
  const message =
    only === undefined
      ? `No configured provider has ${PLURALS[kind]} in OpenAI's shape.`
      : `Several providers have ${PLURALS[kind]}: name one in the header \`x-gatehouse-provider\` (${candidates.join(', ')}).`
  throw new GatewayError(only === undefined ? 'unsupported_feature' : 'invalid_request', {
    message,
    param: 'x-gatehouse-provider',
  })
}

const PLURALS: Readonly<Record<ResourceKind, string>> = { file: 'files', batch: 'batches' }

function notOffered(provider: string, kind: ResourceKind): GatewayError {
  return new GatewayError('unsupported_feature', {
    message: `There is no provider \`${provider.slice(0, 64)}\` with ${PLURALS[kind]} in OpenAI's shape.`,
    param: 'x-gatehouse-provider',
  })
}

/** Ids of providers are short and plain; anything else was never stored. */
function isId(id: string): boolean {
  return /^[\w.:~-]{1,200}$/.test(id)
}

function bodyOf(reply: Reply): Fields {
  if (reply.kind !== 'forward' || !Buffer.isBuffer(reply.body)) return {}
  try {
    const json: unknown = JSON.parse(reply.body.toString('utf8'))
    return typeof json === 'object' && json !== null ? (json as Fields) : {}
  } catch {
    return {}
  }
}

function idOf({ id }: Fields): string {
  if (typeof id === 'string' && isId(id)) return id
  throw new GatewayError('upstream_error', { message: 'The provider did not say what it made.' })
}
