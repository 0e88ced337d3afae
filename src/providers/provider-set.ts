import type { ChatFormatName } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { ChatTraits, Operation } from './provider.ts'
import { type ProviderKind, traitsOf } from './provider-kind.ts'
import { createTransport, type Transport } from './transport.ts'

/** One provider of the configuration. */
export interface ProviderSettings {
  readonly kind: string
  readonly apiKey?: Secret | undefined
  readonly baseUrl?: string | undefined
  readonly headers: Readonly<Record<string, Secret>>
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly concurrencyMax?: number | undefined
  readonly onCancel: 'drain' | 'abort'
  readonly apiVersion?: string | undefined
  /** Bare names it is known to serve, beside those of the catalogue, and its own name for each. */
  readonly models?: Readonly<Record<string, string>> | undefined
  /** Which of its chat APIs translated calls use. */
  readonly api?: 'chat' | 'responses' | undefined
}

/** A provider ready to be called. */
export interface Provider {
  readonly name: string
  readonly kind: ProviderKind
  readonly settings: ProviderSettings
  readonly transport: Transport
  /** Path prefix of the base URL: `/v1`. */
  readonly basePath: string
  /** Headers of every call, unless the caller's own replace them (`anthropic-version`). Lower case. */
  readonly defaultHeaders: Readonly<Record<string, string>>
  /** Headers of every call, with the key, that nothing replaces. Never logged. Lower case. */
  readonly fixedHeaders: Readonly<Record<string, string>>
  /** @returns how one model of it differs; remembered */
  traits(model: string): ChatTraits
  /** Lets calls that were sent finish. */
  close(): Promise<void>
  /** Breaks them off. */
  destroy(): Promise<void>
}

/** A provider that can be called at once, though its models are many: what few connections cannot carry waits. */
const CONNECTIONS_MAX_DEFAULT = 1024
const TRAITS_REMEMBERED_MAX = 1000

export function createProvider(name: string, kind: ProviderKind, settings: ProviderSettings): Provider {
  const base = new URL(settings.baseUrl ?? kind.baseUrl ?? '')
  const transport = createTransport({
    origin: base.origin,
    connectTimeoutMs: settings.connectTimeoutMs,
    firstByteTimeoutMs: settings.firstByteTimeoutMs,
    idleTimeoutMs: settings.idleTimeoutMs,
    connectionsMax: settings.concurrencyMax ?? CONNECTIONS_MAX_DEFAULT,
  })
  const own = Object.entries(settings.headers).map(([header, value]) => [header, value.reveal()])
  const fixedHeaders = lowerCase(Object.fromEntries(own))
  if (settings.apiKey !== undefined) {
    fixedHeaders[kind.auth.header] = `${kind.auth.prefix ?? ''}${settings.apiKey.reveal()}`
  }
  const remembered = new Map<string, ChatTraits>()
  return {
    name,
    kind,
    settings,
    transport,
    basePath: basePathOf(kind, base),
    defaultHeaders: { 'user-agent': 'gatehouse', ...lowerCase(kind.staticHeaders ?? {}) },
    fixedHeaders,
    traits(model) {
      let traits = remembered.get(model)
      if (traits === undefined) {
        traits = traitsOf(kind, model)
        if (remembered.size >= TRAITS_REMEMBERED_MAX) remembered.clear()
        remembered.set(model, traits)
      }
      return traits
    },
    close: () => transport.close(),
    destroy: () => transport.destroy(),
  }
}

const VERSION_AT_END = /\/v\d+\w*$/

/** @returns the path of a base URL, completed as far as this kind's own clients would complete it */
function basePathOf(kind: ProviderKind, base: URL): string {
  const path = base.pathname.replace(/\/+$/, '')
  const isComplete = path !== '' && (kind.basePathAlways !== true || VERSION_AT_END.test(path))
  return isComplete ? path : path + (kind.basePath ?? '')
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** @returns the path of an operation or a native format, with the model in its place; `undefined` = not offered */
export function endpointPath(
  provider: Provider,
  endpoint: Operation | ChatFormatName,
  model: string,
): string | undefined {
  const path = provider.kind.endpoints[endpoint]
  if (path === undefined) return undefined
  return (
    provider.basePath + (path.includes('{model}') ? path.replace('{model}', () => encodeModel(model)) : path)
  )
}

/**
 * Slashes belong to some names (`accounts/x/models/y`) and stay; what would leave the path of models is refused.
 *
 * @throws GatewayError `invalid_request`
 */
function encodeModel(model: string): string {
  const segments = model.split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw new GatewayError('invalid_request', { message: 'This is no name of a model.', param: 'model' })
  }
  return segments.map(encodeURIComponent).join('/')
}
