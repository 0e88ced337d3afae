import type { Usage } from '../../contract/chat.ts'
import { compact, isObject, type JsonObject } from '../../contract/formats/gemini/fields.ts'

/**
 * Normalizes `usageMetadata` (`GenerateContentResponseUsageMetadata` in @google/genai 3.1.0): thoughts stand beside
 * the candidates, results of Google's own tools beside the prompt, cached tokens inside it. Google leaves zeros out
 * of its JSON, so where the total is there, a missing count follows from it.
 *
 * @returns usage without fields that Google did not say
 */
export function fromUsageMetadata(metadata: unknown): Usage {
  if (!isObject(metadata)) return {}
  const prompt = count(metadata, 'promptTokenCount')
  const toolUse = count(metadata, 'toolUsePromptTokenCount')
  const candidates = count(metadata, 'candidatesTokenCount')
  const thoughts = count(metadata, 'thoughtsTokenCount')
  const total = count(metadata, 'totalTokenCount')
  const inputTokens = sum(prompt, toolUse)
  const outputTokens =
    sum(candidates, thoughts) ??
    (total === undefined || inputTokens === undefined ? undefined : Math.max(0, total - inputTokens))
  return compact({
    inputTokens,
    outputTokens,
    cachedInputTokens: count(metadata, 'cachedContentTokenCount'),
    reasoningTokens: thoughts,
    inputAudioTokens: modalityOf(metadata.promptTokensDetails, 'AUDIO'),
    outputAudioTokens: modalityOf(metadata.candidatesTokensDetails, 'AUDIO'),
    inputImageTokens: modalityOf(metadata.promptTokensDetails, 'IMAGE'),
    outputImageTokens: modalityOf(metadata.candidatesTokensDetails, 'IMAGE'),
  })
}

/** @returns usage of a complete reply, of a chunk, or of an embedding */
export function usageOf(body: unknown): Usage {
  return isObject(body) ? fromUsageMetadata(body.usageMetadata) : {}
}

function count(metadata: JsonObject, name: string): number | undefined {
  const value = metadata[name]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function sum(first: number | undefined, second: number | undefined): number | undefined {
  return first === undefined && second === undefined ? undefined : (first ?? 0) + (second ?? 0)
}

function modalityOf(details: unknown, modality: 'AUDIO' | 'IMAGE'): number | undefined {
  if (!Array.isArray(details)) return undefined
  const rows = details.filter(isObject).filter((detail) => detail.modality === modality)
  // Where only other modalities are listed nothing is said about this one worth a line in the books.
  return rows.length === 0
    ? undefined
    : rows.reduce((tokens, detail) => tokens + (count(detail, 'tokenCount') ?? 0), 0)
}
