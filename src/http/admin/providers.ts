import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { breakerOrder, providerParams, providerState } from '../../contract/providers.ts'
import { GatewayError } from '../../core/errors.ts'
import type { ProviderReport } from '../../telemetry/health.ts'

/** What it needs of the gateway. */
export interface ProviderControl {
  providerStates(): ProviderReport[]
  readonly breakers: { force(provider: string, state: 'closed' | 'open'): Promise<void> }
}

/** `/providers`: each as real traffic found it, and its breaker, which an operator may open and close. */
export function registerProviders(scope: FastifyInstance, gateway: ProviderControl): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  app.get(
    '/providers',
    { schema: { tags: ['providers'], response: { 200: z.object({ data: z.array(providerState) }) } } },
    async () => ({ data: gateway.providerStates() }),
  )
  app.get(
    '/providers/:name',
    { schema: { tags: ['providers'], params: providerParams, response: { 200: providerState } } },
    async ({ params }) => find(gateway, params.name),
  )
  app.post(
    '/providers/:name/breaker',
    {
      schema: {
        tags: ['providers'],
        params: providerParams,
        body: breakerOrder,
        response: { 200: providerState },
      },
    },
    async ({ params: { name }, body: { state } }) => {
      find(gateway, name)
      await gateway.breakers.force(name, state)
      return find(gateway, name)
    },
  )
}

/** @throws GatewayError `not_found` */
function find(gateway: ProviderControl, name: string): ProviderReport {
  const states = gateway.providerStates()
  const found = states.find((state) => state.name === name)
  if (found !== undefined) return found
  throw new GatewayError('not_found', {
    message: `There is no provider \`${name}\`. Known: ${states.map((state) => `\`${state.name}\``).join(', ')}.`,
  })
}
