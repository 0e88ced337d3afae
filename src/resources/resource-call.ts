import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, Exchange, ResourceRequest } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Call } from '../pipeline/run.ts'
import { readBatchInput } from './batch-input.ts'
import { FIRST_LOOK_MS } from './batch-watch.ts'
import { toHeld } from './batch-work.ts'
import type {
  BatchBooks,
  BatchEstimate,
  BatchHolds,
  HeldBatch,
  ProviderObjects,
  Resource,
  ResourceKind,
  ResourceStore,
} from './ports.ts'
import { isId } from './resource-id.ts'
import { listResources } from './resource-list.ts'
import type { Settlements } from './settlements.ts'

export interface ResourceCallOptions {
  readonly clock: Clock
  readonly store: ResourceStore
  readonly objects: ProviderObjects
  readonly books: BatchBooks
  readonly settlements: Settlements
  readonly holds: BatchHolds
  /** Begins to add up what a batch may cost. @param endpoint of its requests */
  readonly estimate: (batch: HeldBatch, endpoint: string) => BatchEstimate
  /** @returns names of the providers that have files or batches in OpenAI's shape */
  readonly providersWith: (kind: ResourceKind) => readonly string[]
  /** @throws GatewayError `model_not_allowed` */
  readonly requireModel: (allowed: readonly string[] | null, names: readonly string[]) => void
  /** Calls the provider that the plan names. */
  readonly forward: Call
  /** What is held for a batch could not be given back, or not for longer: its lease, or the next look, puts it right. */
  readonly onHoldError: (error: unknown) => void
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
  const { clock, store, objects, books, settlements, holds, forward } = options

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
    if (reply.status < 400) await keep({ ...ownerOf(visit, provider), id: idOf(bodyOf(reply)) })
    return reply
  }

  async function createBatch(visit: Visit): Promise<Reply> {
    const { exchange } = visit
    const fileId = exchange.incoming.json?.input_file_id
    if (typeof fileId !== 'string') {
      throw new GatewayError('invalid_request', {
        message: 'The field `input_file_id` has to name a file.',
        param: 'input_file_id',
      })
    }
    const file = await find(visit, 'file', fileId, 'input_file_id')
    if (!options.providersWith('batch').includes(file.provider)) throw notOffered(file.provider, 'batch')
    const batch = await holdFor(visit, file)
    let isMade = false
    try {
      const reply = await forwardTo(visit, file.provider)
      if (reply.status >= 400) return reply
      const object = bodyOf(reply)
      const made = await keep({ ...batch, id: idOf(object) })
      isMade = true
      await holds.keep(toHeld(made)).catch(options.onHoldError)
      await settlements.note(made, object, { objects, books })
      return reply
    } finally {
      if (!isMade) await holds.release(toHeld(batch)).catch(options.onHoldError)
    }
  }

  /** @returns whose the batch will be, with what is held for it: all that its requests may come to */
  async function holdFor(visit: Visit, file: Resource): Promise<Omit<Resource, 'id'>> {
    const { exchange, caller } = visit
    const { models } = caller
    const owner = ownerOf(visit, file.provider)
    const isCovered = holds.isCovered(toHeld(owner))
    if (!isCovered && models === null) return owner
    const endpoint = exchange.incoming.json?.endpoint
    const costNanoUsd = await readBatchInput({
      objects,
      file,
      // Keys that may use some models only must not reach the others through a file.
      checkModel:
        models === null
          ? undefined
          : (model) => options.requireModel(models, [model, `${file.provider}/${model}`]),
      estimate: isCovered
        ? options.estimate(toHeld(owner), typeof endpoint === 'string' ? endpoint : '')
        : undefined,
      clock,
      signal: exchange.signal,
    })
    if (!isCovered) return owner
    const batch = { ...owner, heldNanoUsd: costNanoUsd }
    await holds.hold(toHeld(batch))
    return batch
  }

  async function useOne(visit: Visit): Promise<Reply> {
    const { kind, request } = visit
    const resource = await find(visit, kind, request.id, undefined)
    const reply = await forwardTo(visit, resource.provider)
    if (reply.status >= 400) return reply
    if (kind === 'batch') await settlements.note(resource, bodyOf(reply), { objects, books })
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
      onObject:
        kind === 'batch' ? (batch, object) => settlements.note(batch, object, { objects, books }) : undefined,
    })
    return {
      kind: 'forward',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(page)),
    }
  }

  /** Writes down what was just made; what nobody would own is undone. */
  async function keep(resource: Resource): Promise<Resource> {
    try {
      await store.add(resource)
    } catch (error) {
      await objects.discard(resource.provider, resource.kind, resource.id).catch(() => undefined)
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

/** @returns what a call makes, but for the id that its provider gives it */
function ownerOf({ exchange, caller, kind }: Visit, provider: string): Omit<Resource, 'id'> {
  const { session, task, tags } = exchange.incoming.hints
  return {
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
    // A call belongs to the moment in which it came in: what is held for it, and its row in the ledger.
    createdAt: new Date(exchange.receivedAtMs),
    settledAt: null,
    heldNanoUsd: null,
    lookAt: kind === 'batch' ? new Date(exchange.receivedAtMs + FIRST_LOOK_MS) : null,
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
