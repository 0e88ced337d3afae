import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { health } from '../../contract/admin.ts'
import type { Gateway } from '../../gateway.ts'

/** Health in detail, for people and monitors. */
export function registerHealth(scope: FastifyInstance, gateway: Gateway, path: string): void {
  scope
    .withTypeProvider<ZodTypeProvider>()
    .get(path, { schema: { tags: ['health'], response: { 200: health } } }, async () => gateway.health())
}
