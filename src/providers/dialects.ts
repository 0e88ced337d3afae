import type { ChatFormatName } from '../contract/chat.ts'
import { anthropicDialect } from './anthropic/adapter.ts'
import { anthropicTokenCount } from './anthropic/token-count.ts'
import { compatibleDialect } from './compatible/compatible-dialect.ts'
import { embeddingFromReply, embeddingToRequest } from './compatible/embeddings.ts'
import { fromCountReply, toCountRequest } from './google/count-tokens.ts'
import { fromEmbeddingReply, toEmbeddingRequest } from './google/embeddings.ts'
import { googleDialect } from './google/google-dialect.ts'
import { responsesDialect } from './openai/adapter.ts'
import { needsResponses } from './openai/models.ts'
import type { Dialect, EmbeddingDialect, TokenCountDialect } from './provider.ts'
import type { DialectName } from './provider-kind.ts'
import type { Provider } from './provider-set.ts'

// Each dialect knows the type of its own stream state; whoever drives one hands the state back as it came.
const BY_FORMAT: Readonly<Record<ChatFormatName, Dialect>> = {
  chat: compatibleDialect as Dialect,
  responses: responsesDialect as Dialect,
  messages: anthropicDialect as Dialect,
  gemini: googleDialect as Dialect,
}

const BY_NAME: Readonly<Record<DialectName, Dialect>> = {
  compatible: BY_FORMAT.chat,
  anthropic: BY_FORMAT.messages,
  gemini: BY_FORMAT.gemini,
}

const COMPATIBLE_EMBEDDINGS: EmbeddingDialect = {
  format: 'embeddings',
  modelInBody: true,
  toRequest: embeddingToRequest,
  fromReply: embeddingFromReply,
  usageOf: compatibleDialect.usageOf,
  fromError: compatibleDialect.fromError,
}

const GOOGLE_EMBEDDINGS: EmbeddingDialect = {
  format: 'gemini-embeddings',
  modelInBody: false,
  toRequest: toEmbeddingRequest,
  fromReply: fromEmbeddingReply,
  usageOf: googleDialect.usageOf,
  fromError: googleDialect.fromError,
}

const TOKEN_COUNTS: Readonly<Partial<Record<DialectName, TokenCountDialect>>> = {
  anthropic: anthropicTokenCount,
  gemini: {
    format: 'gemini',
    toRequest: toCountRequest,
    fromReply: fromCountReply,
    fromError: googleDialect.fromError,
  },
}

/** Which code reads and writes a provider's formats. */
export const DIALECTS = {
  ofFormat: (format: ChatFormatName): Dialect => BY_FORMAT[format],

  /** Some models of OpenAI are served by the Responses API alone; a provider can be set to it as well. */
  ofProvider(provider: Provider, model: string): Dialect {
    const { kind, settings } = provider
    const canRespond = kind.formats.includes('responses')
    if (settings.api === 'responses' || (canRespond && settings.api === undefined && needsResponses(model))) {
      return BY_FORMAT.responses
    }
    return BY_NAME[kind.dialect]
  },

  embeddingOf: ({ kind }: Provider): EmbeddingDialect =>
    kind.dialect === 'gemini' ? GOOGLE_EMBEDDINGS : COMPATIBLE_EMBEDDINGS,

  tokenCountOf: ({ kind }: Provider): TokenCountDialect | undefined => TOKEN_COUNTS[kind.dialect],
}
