import type { ChatRequest, ResponseFormat } from '../../contract/chat.ts'
import { compact } from '../../contract/formats/gemini/fields.ts'
import { toGoogleSchema } from './to-schema.ts'
import { toThinkingConfig } from './to-thinking.ts'
import { type GoogleTraits, THINKING_DEFAULT } from './traits.ts'
import type { WarningList } from './warnings.ts'

/** @returns Gemini's `generationConfig`; empty where nothing was asked for */
export function toGenerationConfig(
  request: ChatRequest,
  traits: GoogleTraits,
  warnings: WarningList,
): Record<string, unknown> {
  const { reasoning, stop } = request
  const thinkingConfig =
    reasoning === undefined
      ? undefined
      : toThinkingConfig(reasoning, traits.thinking ?? THINKING_DEFAULT, warnings)
  return compact({
    maxOutputTokens: request.outputTokensMax,
    temperature: request.temperature,
    topP: request.topP,
    topK: request.topK,
    stopSequences: stop === undefined || stop.length === 0 ? undefined : stop,
    seed: request.seed,
    candidateCount: request.n,
    presencePenalty: request.presencePenalty,
    frequencyPenalty: request.frequencyPenalty,
    responseLogprobs: request.logprobs,
    logprobs: request.logprobs === false ? undefined : request.topLogprobs,
    ...(request.responseFormat === undefined ? {} : toResponseFormat(request.responseFormat)),
    thinkingConfig,
  })
}

function toResponseFormat(format: ResponseFormat): Record<string, unknown> {
  switch (format.type) {
    case 'text':
      return { responseMimeType: 'text/plain' }
    case 'json':
      return { responseMimeType: 'application/json' }
    case 'json-schema': {
      // The name is a label of OpenAI's; what describes the whole belongs to the schema here.
      const description = format.schema.description ?? format.description
      const schema = compact({ ...format.schema, description })
      const responseJsonSchema = toGoogleSchema(schema, 'response_format.json_schema.schema')
      return { responseMimeType: 'application/json', responseJsonSchema }
    }
  }
}
