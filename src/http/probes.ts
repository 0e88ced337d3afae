import type { FastifyInstance } from 'fastify'
import type { Gateway } from '../gateway.ts'

/** For whoever restarts or routes to this process. None of them calls a provider or costs anything. */
export function registerProbes(app: FastifyInstance, gateway: Gateway, isDraining: () => boolean): void {
  // The process answers: nothing else may make an orchestrator kill it.
  const config = { isProbe: true } as const
  app.get('/livez', { config }, async () => ({ status: 'ok' }))
  app.get('/startupz', { config }, async () => ({ status: 'ok' }))
  app.get('/readyz', { config }, async (_request, reply) => {
    if (isDraining()) return reply.status(503).send({ status: 'draining' })
    const health = await gateway.health()
    // A degraded gateway still answers calls; taking it out would turn a small failure into an outage.
    return { status: health.status, components: health.components }
  })
}
