import type { Call } from './call.ts'
import { toDeltas } from './deltas.ts'
import type { Answer } from './script.ts'
import { countTokens } from './tokens.ts'

/** One chunk of a streamed reply, still an object: it becomes an event or an item of an array. */
export interface GeminiChunk {
  readonly body: object
  readonly tokens: number
}

/**
 * Thoughts stand beside the candidates' tokens here, not among them; cached tokens are inside the prompt's.
 * `GenerateContentResponseUsageMetadata` of `@google/genai`: total = prompt + candidates + thoughts.
 *
 * @param outputTokens made so far, thoughts included
 */
export function toGeminiUsage(answer: Answer, outputTokens: number, reasoningTokens: number): object {
  return {
    promptTokenCount: answer.inputTokens,
    candidatesTokenCount: outputTokens - reasoningTokens,
    ...(answer.cachedTokens === 0 ? {} : { cachedContentTokenCount: answer.cachedTokens }),
    ...(answer.reasoningTokens === 0 ? {} : { thoughtsTokenCount: reasoningTokens }),
    totalTokenCount: answer.inputTokens + outputTokens,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: answer.inputTokens }],
  }
}

/** @returns chunks with running counts of usage; a call of a tool arrives whole, as Gemini sends it */
export function* toGeminiChunks(call: Call, answer: Answer): Generator<GeminiChunk> {
  const responseId = call.newId('sim')
  const withUsage = !call.faults['no-usage']
  let outputTokens = 0
  let reasoningTokens = 0
  const chunk = (candidate: object, tokens: number): GeminiChunk => {
    outputTokens += tokens
    const usageMetadata = withUsage ? toGeminiUsage(answer, outputTokens, reasoningTokens) : undefined
    return { body: { candidates: [candidate], usageMetadata, modelVersion: call.model, responseId }, tokens }
  }
  for (const [index, choice] of answer.choices.entries()) {
    for (const delta of toDeltas(choice)) {
      switch (delta.kind) {
        case 'reasoning':
          reasoningTokens += delta.tokens
          yield chunk(candidate(index, { text: delta.text, thought: true }), delta.tokens)
          break
        case 'text':
          yield chunk(candidate(index, { text: delta.text }), delta.tokens)
          break
        case 'call': {
          const made = choice.calls[delta.call]
          if (made === undefined) break
          const part = { functionCall: { id: made.id, name: made.name, args: JSON.parse(made.arguments) } }
          yield chunk(candidate(index, part), delta.tokens + countTokens(made.arguments))
          break
        }
        case 'arguments':
          break
      }
    }
    const finishReason = choice.finish === 'length' ? 'MAX_TOKENS' : 'STOP'
    yield chunk({ ...candidate(index, { text: '' }), finishReason }, 0)
  }
}

function candidate(index: number, part: object): object {
  return { content: { parts: [part], role: 'model' }, index }
}
