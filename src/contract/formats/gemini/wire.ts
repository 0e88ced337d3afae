/**
 * Shapes of Gemini's replies, as @google/genai 3.1.0 types them (`GenerateContentResponse` and what it holds);
 * only what we write.
 */

export interface WirePart {
  readonly text?: string
  readonly thought?: boolean
  readonly thoughtSignature?: string
  readonly functionCall?: { readonly id?: string; readonly name: string; readonly args: unknown }
  readonly inlineData?: { readonly mimeType: string; readonly data: string; readonly displayName?: string }
  readonly fileData?: { readonly fileUri: string; readonly mimeType?: string; readonly displayName?: string }
}

export interface WireCandidate {
  readonly content?: { readonly parts: readonly (WirePart | object)[]; readonly role: 'model' }
  readonly finishReason?: string
  readonly finishMessage?: string
  readonly index: number
  readonly logprobsResult?: unknown
}

export interface WireUsage {
  readonly promptTokenCount?: number
  readonly candidatesTokenCount?: number
  readonly thoughtsTokenCount?: number
  readonly cachedContentTokenCount?: number
  readonly totalTokenCount?: number
}

export interface WireReply {
  readonly candidates?: readonly WireCandidate[]
  readonly usageMetadata?: WireUsage
  readonly modelVersion: string
  readonly responseId: string
}

/** Facts about a candidate beside its content, in Google's words: kept for callers who read Gemini. */
export const CANDIDATE_METADATA = ['citationMetadata', 'groundingMetadata', 'urlContextMetadata'] as const
