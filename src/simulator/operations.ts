import { answerCountTokens, answerMessages } from './anthropic.ts'
import type { Call } from './call.ts'
import { answerBatchEmbedContents, answerEmbedContent, answerEmbeddings } from './embeddings.ts'
import type { Dialect } from './error-shapes.ts'
import { answerGeminiCount, answerGenerate, answerStreamGenerate } from './gemini.ts'
import { answerAnthropicModels, answerGeminiModels, answerModels } from './models.ts'
import { answerModerations } from './moderations.ts'
import { answerChat } from './openai-chat.ts'
import { answerCompletions } from './openai-completions.ts'
import { answerBatches, answerFiles } from './openai-files.ts'
import { answerImages, answerSpeech, answerTranscription } from './openai-media.ts'
import { answerResponses } from './openai-responses.ts'
import type { SimulatedReply } from './reply.ts'
import { answerRerank } from './rerank.ts'

/** One thing that can be asked of the simulator, whatever the path is prefixed with. */
export interface Operation {
  readonly dialect: Dialect
  answer(call: Call): SimulatedReply | Promise<SimulatedReply>
}

/** Where a request goes. `undefined` operation = there is no such route; the dialect still words the refusal. */
export interface Route {
  readonly operation: Operation | undefined
  readonly dialect: Dialect
  /** Path without prefix and version. */
  readonly path: string
  /** The model that the path names (Gemini, Azure deployments). */
  readonly model: string | undefined
}

function openAi(answer: Operation['answer']): Operation {
  return { dialect: 'openai', answer }
}

function anthropic(answer: Operation['answer']): Operation {
  return { dialect: 'anthropic', answer }
}

function gemini(answer: Operation['answer']): Operation {
  return { dialect: 'gemini', answer }
}

const POSTS = new Map<string, Operation>([
  ['/chat/completions', openAi(answerChat)],
  ['/responses', openAi(answerResponses)],
  ['/completions', openAi(answerCompletions)],
  ['/embeddings', openAi(answerEmbeddings)],
  ['/moderations', openAi(answerModerations)],
  ['/rerank', openAi(answerRerank)],
  ['/images/generations', openAi(answerImages)],
  ['/audio/speech', openAi(answerSpeech)],
  ['/audio/transcriptions', openAi(answerTranscription)],
  ['/audio/translations', openAi(answerTranscription)],
  ['/messages', anthropic(answerMessages)],
  ['/messages/count_tokens', anthropic(answerCountTokens)],
])

const GEMINI_POSTS = new Map<string, Operation>([
  ['generateContent', gemini(answerGenerate)],
  ['streamGenerateContent', gemini(answerStreamGenerate)],
  ['countTokens', gemini(answerGeminiCount)],
  ['embedContent', gemini(answerEmbedContent)],
  ['batchEmbedContents', gemini(answerBatchEmbedContents)],
])

const MODELS = openAi(answerModels)
const ANTHROPIC_MODELS = anthropic(answerAnthropicModels)
const GEMINI_MODELS = gemini(answerGeminiModels)
const FILES = openAi(answerFiles)
const BATCHES = openAi(answerBatches)

/** Azure puts the model into the path; its newer surface is `/openai/v1/…`. */
const AZURE = /^\/openai(?:\/deployments\/([^/]+))?(?=\/)/

/**
 * @param rawPath without the query
 * @param speaker whose client is asking, by its headers: three providers list their models on one path
 */
export function toRoute(method: string, rawPath: string, speaker: Dialect): Route {
  let path = rawPath
  let model: string | undefined
  if (path.startsWith('/openai/')) {
    const deployment = AZURE.exec(path)?.[1]
    if (deployment !== undefined) model = decodeURIComponent(deployment)
    path = path.replace(AZURE, '')
  }
  if (path.startsWith('/v1beta/')) {
    return toGeminiRoute(method, path.slice('/v1beta'.length))
  }
  if (path.startsWith('/v1/')) path = path.slice(3)
  const operation = method === 'POST' ? POSTS.get(path) : undefined
  if (operation !== undefined) return { operation, dialect: operation.dialect, path, model }
  // The Gemini client asks for `/v1/models/…` since its version 3.
  const isModels = path === '/models' || path.startsWith('/models/')
  if (isModels && (method === 'POST' || speaker === 'gemini')) return toGeminiRoute(method, path)
  const other = toOther(method, path, speaker)
  const isMessages = path === '/messages' || path.startsWith('/messages/')
  return { operation: other, dialect: other?.dialect ?? (isMessages ? 'anthropic' : 'openai'), path, model }
}

function toOther(method: string, path: string, speaker: Dialect): Operation | undefined {
  const [, first, second, third] = path.split('/')
  if (first === 'models' && method === 'GET') return speaker === 'anthropic' ? ANTHROPIC_MODELS : MODELS
  if (first === 'files') {
    if (second === undefined) return method === 'GET' || method === 'POST' ? FILES : undefined
    return method === 'GET' || (method === 'DELETE' && third === undefined) ? FILES : undefined
  }
  if (first === 'batches') {
    if (second === undefined) return method === 'GET' || method === 'POST' ? BATCHES : undefined
    return method === 'GET' || (method === 'POST' && third === 'cancel') ? BATCHES : undefined
  }
  return undefined
}

function toGeminiRoute(method: string, path: string): Route {
  if (method === 'GET' && (path === '/models' || path.startsWith('/models/'))) {
    return { operation: GEMINI_MODELS, dialect: 'gemini', path, model: undefined }
  }
  const colon = path.lastIndexOf(':')
  const operation =
    method === 'POST' && colon > 0 && path.startsWith('/models/')
      ? GEMINI_POSTS.get(path.slice(colon + 1))
      : undefined
  const model = colon > 0 ? decodeURIComponent(path.slice('/models/'.length, colon)) : undefined
  return { operation, dialect: 'gemini', path, model }
}
