import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import { isModelAllowed } from '../identity/access.ts'
import { readCredential } from './read-incoming.ts'

/**
 * The list of models that this key may use, in one body that the clients of every format can read: OpenAI's
 * `data`, Anthropic's `display_name` and page marks, Codex's `models` with `slug`, and Google's, whose client asks
 * for `/v1` as well.
 */
export function registerModelRoutes(app: FastifyInstance, gateway: Gateway): void {
  function allowed(headers: Parameters<typeof readCredential>[0], ip: string): readonly string[] {
    const key = gateway.directory.ring.identify(readCredential(headers), ip, gateway.clock.now())
    return gateway.models().names.filter((name) => isModelAllowed(key.models, name))
  }
  const createdSeconds = Math.floor(gateway.clock.now() / 1000)
  const createdAt = new Date(createdSeconds * 1000).toISOString()

  function toModel(id: string) {
    return {
      id,
      object: 'model',
      created: createdSeconds,
      owned_by: gateway.models().ownerOf(id),
      type: 'model',
      display_name: id,
      created_at: createdAt,
    }
  }

  function find(names: readonly string[], id: string): string {
    const found = names.find((name) => name === id)
    if (found !== undefined) return found
    throw new GatewayError('model_not_found', {
      message: `There is no model \`${id.slice(0, 64)}\`.`,
      param: 'model',
    })
  }

  for (const prefix of ['/v1', '', '/v1/v1', '/openai/v1', '/openai', '/anthropic/v1', '/anthropic']) {
    app.get(`${prefix}/models`, async (request) => {
      const names = allowed(request.headers, request.ip)
      return {
        object: 'list',
        data: names.map(toModel),
        has_more: false,
        first_id: names[0] ?? null,
        last_id: names.at(-1) ?? null,
        models: names.map((name) => ({ slug: name, id: name, display_name: name, ...toGeminiModel(name) })),
      }
    })
    app.get<{ Params: { '*': string } }>(`${prefix}/models/*`, async (request) => {
      const name = find(allowed(request.headers, request.ip), request.params['*'])
      return { ...toModel(name), ...toGeminiModel(name) }
    })
  }

  for (const prefix of ['/v1beta', '/gemini/v1beta', '/v1/v1beta', '/gemini']) {
    const config = { family: 'gemini' } as const
    app.get(`${prefix}/models`, { config }, async (request) => ({
      models: allowed(request.headers, request.ip).map(toGeminiModel),
    }))
    app.get<{ Params: { '*': string } }>(`${prefix}/models/*`, { config }, async (request) =>
      toGeminiModel(find(allowed(request.headers, request.ip), request.params['*'])),
    )
  }
}

function toGeminiModel(name: string) {
  return {
    name: `models/${name}`,
    displayName: name,
    supportedGenerationMethods: ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent'],
  }
}
