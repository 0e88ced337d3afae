import type { ProviderKind } from './provider-kind.ts'
import { createProvider, type Provider, type ProviderSettings } from './provider-set.ts'

const NO_SETTINGS = {
  headers: {},
  connectTimeoutMs: 5000,
  firstByteTimeoutMs: 120_000,
  idleTimeoutMs: 120_000,
  onCancel: 'abort',
} as const

/**
 * @param simulatorUrl starts the built-in simulator where it does not run yet
 * @returns the settings with `sim` in them where there is no other provider, and with the address of the built-in
 *   simulator wherever one is meant
 */
export async function withSimulator(
  settings: Readonly<Record<string, ProviderSettings>>,
  simulatorUrl: () => Promise<string>,
): Promise<Readonly<Record<string, ProviderSettings>>> {
  const named: Record<string, ProviderSettings> = { ...settings }
  if (Object.keys(named).length === 0) named.sim = { kind: 'simulator', ...NO_SETTINGS }
  for (const [name, each] of Object.entries(named)) {
    if (each.kind === 'simulator' && each.baseUrl === undefined)
      named[name] = { ...each, baseUrl: await simulatorUrl() }
  }
  return named
}

/**
 * The providers of one configuration. Those whose settings did not change keep their connections when another
 * configuration takes over.
 */
export function buildProviders(
  settings: Readonly<Record<string, ProviderSettings>>,
  kinds: ReadonlyMap<string, ProviderKind>,
  earlier: ReadonlyMap<string, Provider>,
): Map<string, Provider> {
  const providers = new Map<string, Provider>()
  for (const [name, each] of Object.entries(settings)) {
    const kind = kinds.get(each.kind)
    if (kind === undefined)
      throw new Error(`The configuration let an unknown kind of provider pass: ${each.kind}`)
    const known = earlier.get(name)
    providers.set(
      name,
      known !== undefined && isSame(known.settings, each) ? known : createProvider(name, kind, each),
    )
  }
  return providers
}

function isSame(first: ProviderSettings, second: ProviderSettings): boolean {
  return JSON.stringify(plain(first)) === JSON.stringify(plain(second))
}

/** Secrets refuse to print, so they are compared by what they reveal. */
function plain(settings: ProviderSettings): unknown {
  const headers = Object.entries(settings.headers).map(([name, value]) => [name, value.reveal()])
  return { ...settings, apiKey: settings.apiKey?.reveal(), headers }
}
