import type { Endpoint, ProviderKind } from '../provider-kind.ts'
import type { CompatibleTraits } from './traits.ts'

/** A row of the table of OpenAI-shaped providers. */
export type CompatibleKind = ProviderKind<CompatibleTraits> & { readonly dialect: 'compatible' }

/** The key as `Authorization: Bearer …`, which all but Azure want. */
export const BEARER = { header: 'authorization', prefix: 'Bearer ' } as const

/** OpenAI's path of everything that a provider may serve. */
const PATHS = {
  chat: '/chat/completions',
  responses: '/responses',
  messages: '/messages',
  completion: '/completions',
  embedding: '/embeddings',
  moderation: '/moderations',
  rerank: '/rerank',
  image: '/images/generations',
  speech: '/audio/speech',
  transcription: '/audio/transcriptions',
  file: '/files',
  batch: '/batches',
} as const satisfies Partial<Record<Endpoint, string>>

/** @returns the paths of what a provider serves, where it keeps OpenAI's */
export function paths(...served: readonly (keyof typeof PATHS)[]): Partial<Record<Endpoint, string>> {
  return Object.fromEntries(served.map((endpoint) => [endpoint, PATHS[endpoint]]))
}
