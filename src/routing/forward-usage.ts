import type { Usage } from '../contract/chat.ts'
import { isObject } from '../contract/formats/chat/fields.ts'
import type { Operation } from '../contract/operation.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import { usageOf } from '../providers/compatible/usage.ts'

/** What a provider says that a call used. */
export interface ReportedUsage {
  /** `{}` where it says nothing of tokens. */
  readonly usage: Usage
  readonly units: CallUnits
}

/**
 * Reads the usage of a reply, or of an event of a stream, of any operation in OpenAI's shape: `prompt_tokens`,
 * `input_tokens` with their details, a duration, or what Cohere and Jina say of a rerank.
 */
export function reportedUsage(body: unknown, operation: Operation): ReportedUsage {
  if (!isObject(body)) return { usage: {}, units: {} }
  const { usage } = body
  if (isObject(usage)) {
    if (usage.type === 'duration') {
      const audioSeconds = quantity(usage.seconds)
      // Sold by time: there are no tokens, rather than tokens that nobody counted.
      if (audioSeconds !== undefined) return { usage: NO_TOKENS, units: { audioSeconds } }
    }
    const tokens = inputOutput(usage, operation)
    if (tokens !== undefined) return { usage: tokens, units: {} }
  }
  const compatible = usageOf(body)
  if (compatible.inputTokens !== undefined) return { usage: compatible, units: {} }
  const total = isObject(usage) ? quantity(usage.total_tokens) : undefined
  const input = total ?? metaTokens(body)
  if (input !== undefined) return { usage: { inputTokens: input, outputTokens: 0 }, units: {} }
  // `verbose_json` of a transcription says how long the recording is.
  const audioSeconds = operation === 'transcription' ? quantity(Number(body.duration)) : undefined
  return audioSeconds === undefined ? { usage: {}, units: {} } : { usage: NO_TOKENS, units: { audioSeconds } }
}

export const NO_TOKENS: Usage = { inputTokens: 0, outputTokens: 0 }

/** Images, audio, Responses and batches (`ImagesResponse.Usage`, `BatchUsage` of the `openai` package, version 7). */
function inputOutput(usage: Record<string, unknown>, operation: Operation): Usage | undefined {
  const inputTokens = count(usage.input_tokens)
  const outputTokens = count(usage.output_tokens)
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const input = firstObject(usage.input_tokens_details, usage.input_token_details)
  const output = firstObject(usage.output_tokens_details, usage.output_token_details)
  // Where the details leave it out, what an image model puts out is image.
  const outputImageTokens = count(output.image_tokens) ?? (operation === 'image' ? outputTokens : undefined)
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: count(input.cached_tokens),
    inputAudioTokens: count(input.audio_tokens),
    inputImageTokens: count(input.image_tokens),
    reasoningTokens: count(output.reasoning_tokens),
    outputAudioTokens: count(output.audio_tokens),
    outputImageTokens,
  }
}

/** Cohere's rerank: https://docs.cohere.com/reference/rerank (read 2026-11-21). */
function metaTokens({ meta }: Record<string, unknown>): number | undefined {
  if (!isObject(meta)) return undefined
  const tokens = firstObject(meta.tokens, meta.billed_units)
  return count(tokens.input_tokens)
}

function firstObject(...values: unknown[]): Record<string, unknown> {
  return values.find((value) => isObject(value)) ?? {}
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function quantity(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}
