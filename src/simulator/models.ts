/** Lists of models in the three shapes. Any other name is served too: a list is what is worth showing. */

import type { Call } from './call.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'

const MODELS = [
  'echo',
  'slow',
  'error',
  'reasoner',
  'fixed-200-50',
  'gpt-4o',
  'gpt-4o-mini',
  'claude-sonnet-4-5',
  'claude-haiku-4-5',
  'gemini-2.5-pro',
  'gemini-2.5-flash',
  'text-embedding-3-small',
  'gemini-embedding-001',
] as const

/** Every model is as old as the first of them claims to be. */
const CREATED_SECONDS = 1_767_225_600

export function answerModels(call: Call): SimulatedReply {
  const [, , id] = call.path.split('/')
  if (id !== undefined) return jsonReply(openAiModel(decodeURIComponent(id)))
  return jsonReply({ object: 'list', data: MODELS.map(openAiModel) })
}

export function answerAnthropicModels(call: Call): SimulatedReply {
  const [, , id] = call.path.split('/')
  if (id !== undefined) return jsonReply(anthropicModel(decodeURIComponent(id)))
  const data = MODELS.map(anthropicModel)
  return jsonReply({ data, has_more: false, first_id: MODELS[0], last_id: MODELS.at(-1) })
}

export function answerGeminiModels(call: Call): SimulatedReply {
  const [, , id] = call.path.split('/')
  if (id !== undefined) return jsonReply(geminiModel(decodeURIComponent(id)))
  return jsonReply({ models: MODELS.map(geminiModel) })
}

function openAiModel(id: string): object {
  return { id, object: 'model', created: CREATED_SECONDS, owned_by: 'simulator' }
}

function anthropicModel(id: string): object {
  return {
    type: 'model',
    id,
    display_name: id,
    created_at: new Date(CREATED_SECONDS * 1000).toISOString(),
    max_input_tokens: 1_000_000,
    max_tokens: 64_000,
  }
}

function geminiModel(id: string): object {
  return {
    name: `models/${id}`,
    version: '001',
    displayName: id,
    description: 'Simulated',
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent'],
  }
}
