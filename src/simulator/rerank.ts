import type { Call } from './call.ts'
import { SimulatedError } from './error-shapes.ts'
import { toList, toNumber, toObject, toText } from './json.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'
import { countTokens } from './tokens.ts'
import { toSimilarity } from './vectors.ts'

/** Rerank in the shape that Cohere (`meta.billed_units`) and Jina (`usage`) share; documents by shared words. */
export function answerRerank(call: Call): SimulatedReply {
  const { body, model } = call
  const query = toText(body.query)
  const documents = toList(body.documents).map((item) =>
    typeof item === 'string' ? item : toText(toObject(item).text),
  )
  if (query === '' || documents.length === 0) {
    throw new SimulatedError(400, 'query and documents must not be empty')
  }
  const tokens = documents.reduce((sum, document) => sum + countTokens(document), countTokens(query))
  const results = documents
    .map((text, index) => ({ index, score: Math.max(0, toSimilarity(query, text)), text }))
    .sort((first, second) => second.score - first.score || first.index - second.index)
    .slice(0, toNumber(body.top_n) ?? documents.length)
    .map(({ index, score, text }) => ({
      index,
      relevance_score: score,
      ...(body.return_documents === true ? { document: { text } } : {}),
    }))
  const usage = { total_tokens: tokens, prompt_tokens: tokens }
  return jsonReply(
    {
      id: call.newId('rerank-'),
      model,
      results,
      ...(call.faults['no-usage'] ? {} : { usage, meta: { billed_units: { search_units: 1 } } }),
    },
    { inputTokens: tokens, outputTokens: 0 },
  )
}
