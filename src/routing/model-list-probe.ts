import { GatewayError } from '../core/errors.ts'
import type { Provider } from '../providers/provider-set.ts'

/** @returns whether the provider has a list of models, which costs nothing to ask for */
export function hasModelList({ kind }: Provider): boolean {
  return kind.modelsPath !== undefined && kind.simulated !== true
}

/**
 * Asks for the provider's list of models, and does not read it. What it refuses for another reason than our key, it
 * has received: it is there.
 *
 * @throws GatewayError `upstream_error` or `upstream_timeout` where it is not there, or refuses our key
 */
export async function probeModelList(provider: Provider, signal: AbortSignal): Promise<void> {
  const { kind, basePath, transport, defaultHeaders, fixedHeaders } = provider
  const { status, body } = await transport.send({
    method: 'GET',
    path: basePath + (kind.modelsPath ?? ''),
    headers: { ...defaultHeaders, ...fixedHeaders },
    body: undefined,
    signal,
  })
  body.destroy()
  if (status < 500 && status !== 401 && status !== 403) return
  throw new GatewayError('upstream_error', {
    message: `The provider answered its list of models with status ${status}.`,
    detail: { provider: provider.name, status },
  })
}
