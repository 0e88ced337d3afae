import type { ProviderKind } from './provider-kind.ts'

/** The built-in simulator: speaks every format itself, so that each can be tried without an account. */
export const simulatorKind: ProviderKind = {
  name: 'simulator',
  title: 'Built-in simulator',
  dialect: 'compatible',
  formats: ['chat', 'responses', 'messages', 'gemini'],
  auth: { header: 'authorization', prefix: 'Bearer ' },
  keyOptional: true,
  baseUrl: 'http://127.0.0.1:9090',
  envKeys: [],
  simulated: true,
  // Of the order of a small model's, so that costs show in a demo.
  listPrice: { inputPerMillionUsd: 0.15, outputPerMillionUsd: 0.6 },
  traits: { outputCapField: 'max_completion_tokens', streamOptions: true },
  endpoints: {
    chat: '/v1/chat/completions',
    responses: '/v1/responses',
    messages: '/v1/messages',
    gemini: '/v1beta/models/{model}:generateContent',
    completion: '/v1/completions',
    embedding: '/v1/embeddings',
    moderation: '/v1/moderations',
    rerank: '/v1/rerank',
    image: '/v1/images/generations',
    speech: '/v1/audio/speech',
    transcription: '/v1/audio/transcriptions',
    file: '/v1/files',
    batch: '/v1/batches',
  },
  modelsPath: '/v1/models',
}
