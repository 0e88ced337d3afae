import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { providerState } from '../../contract/admin.ts'
import type { Gateway } from '../../gateway.ts'

/** `GET /providers`: each as real traffic found it. */
export function registerProviders(scope: FastifyInstance, gateway: Gateway): void {
  scope
    .withTypeProvider<ZodTypeProvider>()
    .get(
      '/providers',
      { schema: { tags: ['providers'], response: { 200: z.object({ data: z.array(providerState) }) } } },
      async () => ({ data: gateway.providerStates() }),
    )
}
