import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { createEmbeddedTemplate, type EmbeddedTemplate } from './embedded-template.ts'
import type { Service } from './postgres.ts'
import { type PostgresTemplate, preparePostgres } from './postgres-template.ts'
import { startRedis } from './redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files ask for services; see `services.ts`. */
    readonly servicesUrl: string
  }
}

/**
 * One PostgreSQL and one Redis for a whole run, started when the first test file asks: a run of unit tests alone
 * starts neither. What is asked for once is there until the run ends.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let postgres: Promise<PostgresTemplate | undefined> | undefined
  let redis: Promise<Service | undefined> | undefined
  let embedded: Promise<EmbeddedTemplate> | undefined
  const answers: Record<string, () => Promise<unknown>> = {
    '/postgres': async () => {
      postgres ??= preparePostgres()
      const { adminUrl, template } = (await postgres) ?? {}
      return adminUrl === undefined ? null : { adminUrl, template }
    },
    '/redis': async () => {
      const fromEnvironment = process.env.TEST_REDIS_URL
      if (fromEnvironment) return { url: fromEnvironment }
      redis ??= startRedis()
      const { url } = (await redis) ?? {}
      return url === undefined ? null : { url }
    },
    '/embedded': async () => {
      embedded ??= createEmbeddedTemplate()
      return { folder: (await embedded).folder }
    },
  }
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    const result = answer === undefined ? Promise.reject(new Error('Unknown service.')) : answer()
    result.then(
      (value) => response.end(JSON.stringify(value)),
      (error: Error) => response.writeHead(500).end(error.stack ?? error.message),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  project.provide('servicesUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)

  return async () => {
    server.close()
    server.closeAllConnections()
    await (await postgres?.catch(() => undefined))?.stop()
    await (await redis?.catch(() => undefined))?.stop()
    ;(await embedded?.catch(() => undefined))?.remove()
  }
}
