import { isObject, type JsonObject } from './fields.ts'

/** OpenAI's shape, which the neutral model keeps: `{content: [{token, logprob, bytes, top_logprobs}], refusal}`. */
interface TokenLogprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: null
  readonly top_logprobs: readonly { readonly token: string; readonly logprob: number; readonly bytes: null }[]
}

/** @returns OpenAI's `logprobs` of Gemini's `logprobsResult`; `undefined` where there are none */
export function fromLogprobsResult(result: unknown): unknown {
  if (!isObject(result) || !Array.isArray(result.chosenCandidates)) return undefined
  const steps: readonly unknown[] = Array.isArray(result.topCandidates) ? result.topCandidates : []
  const content = result.chosenCandidates.map((chosen: unknown, index): TokenLogprob => {
    const step = steps[index]
    const top: readonly unknown[] = isObject(step) && Array.isArray(step.candidates) ? step.candidates : []
    return { ...fromCandidate(chosen), top_logprobs: top.map(fromCandidate) }
  })
  return { content, refusal: null }
}

function fromCandidate(candidate: unknown): { token: string; logprob: number; bytes: null } {
  const source: JsonObject = isObject(candidate) ? candidate : {}
  const { token, logProbability } = source
  return {
    token: typeof token === 'string' ? token : '',
    // Google leaves zeros out of its JSON: a missing probability is a certain token.
    logprob: typeof logProbability === 'number' ? logProbability : 0,
    bytes: null,
  }
}

/** @returns Gemini's `logprobsResult` of OpenAI's `logprobs`; `undefined` where there are none */
export function toLogprobsResult(logprobs: unknown): unknown {
  if (!isObject(logprobs) || !Array.isArray(logprobs.content)) return undefined
  const tokens = logprobs.content.filter(isObject)
  return {
    chosenCandidates: tokens.map(toCandidate),
    topCandidates: tokens.map((token) => {
      const top: readonly unknown[] = Array.isArray(token.top_logprobs) ? token.top_logprobs : []
      return { candidates: top.filter(isObject).map(toCandidate) }
    }),
  }
}

function toCandidate(token: JsonObject): { token: unknown; logProbability: unknown } {
  return { token: token.token, logProbability: token.logprob }
}
