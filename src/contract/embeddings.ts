/** The neutral model of embeddings: what every wire format is read into and written from. */

import type { Usage } from './chat.ts'
import type { RequestContext } from './format.ts'

/** How a caller wants vectors spelled on the wire; inside they are always numbers. */
export type EmbeddingEncoding = 'float' | 'base64'

export interface EmbeddingRequest {
  /** As the caller wrote it; a provider's mapper uses the target's model instead. */
  readonly model: string
  /** One vector is wanted for each: a text, or the token ids of one. Never empty. */
  readonly inputs: readonly (string | readonly number[])[]
  /** Length wanted of each vector; `undefined` leaves it to the model. */
  readonly dimensions?: number
  readonly encodingFormat: EmbeddingEncoding
  /** The caller's end user. */
  readonly user?: string
  /** What the vectors are for, as Gemini spells it: `RETRIEVAL_QUERY`, `SEMANTIC_SIMILARITY` … */
  readonly taskType?: string
  /** Title of a document (Gemini, with `RETRIEVAL_DOCUMENT`). */
  readonly title?: string
  /** Fields of the caller's format that the neutral model does not carry. */
  readonly unmapped: readonly { readonly path: string; readonly value: unknown }[]
}

export interface EmbeddingReply {
  /** The model as the provider names it. */
  readonly model: string
  /** In the order of the inputs. */
  readonly vectors: readonly (readonly number[])[]
  readonly usage: Usage
}

/** One public wire format of embeddings, seen from its client. Pure. */
export interface EmbeddingFormat {
  /** @throws GatewayError `invalid_request` with `param` naming the field */
  parseRequest(body: unknown, context: RequestContext): EmbeddingRequest
  /** @returns the JSON body of the reply */
  toReply(reply: EmbeddingReply, request: EmbeddingRequest): unknown
}
