/** Gemini `v1beta`. Shapes: `GenerateContentResponse` of `@google/genai`, version 3. */

import { type Call, scriptSettings } from './call.ts'
import { contextExceeded } from './error-shapes.ts'
import { readGemini } from './gemini-request.ts'
import { toGeminiChunks, toGeminiUsage } from './gemini-stream.ts'
import { toNumber, toObject } from './json.ts'
import { type Frame, jsonReply, type SimulatedReply } from './reply.ts'
import { type Answer, type AnswerChoice, toAnswer } from './script.ts'
import { toTokens } from './tokens.ts'

function answerOf(call: Call): Answer {
  const asked = readGemini(call.body, call.model)
  const { context } = call.faults
  if (context !== undefined && asked.inputTokens > context) {
    throw contextExceeded('gemini', asked.inputTokens, context)
  }
  return toAnswer(asked, scriptSettings(call), call.newId)
}

export function answerGenerate(call: Call): SimulatedReply {
  const answer = answerOf(call)
  const body = {
    candidates: answer.choices.map((choice, index) => ({
      content: { parts: toParts(choice), role: 'model' },
      finishReason: choice.finish === 'length' ? 'MAX_TOKENS' : 'STOP',
      index,
      ...logprobsOf(choice, call),
    })),
    ...(call.faults['no-usage']
      ? {}
      : { usageMetadata: toGeminiUsage(answer, answer.outputTokens, answer.reasoningTokens) }),
    modelVersion: call.model,
    responseId: call.newId('sim'),
  }
  return jsonReply(body, answer)
}

/** With `alt=sse` events, without it one JSON array that grows, as the API does for clients that can wait. */
export function answerStreamGenerate(call: Call): SimulatedReply {
  const answer = answerOf(call)
  const isSse = call.query.get('alt') === 'sse'
  const chunks = toGeminiChunks(call, answer)
  const failure = JSON.stringify({
    error: { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' },
  })
  return {
    kind: 'stream',
    contentType: isSse ? 'text/event-stream' : 'application/json; charset=UTF-8',
    frames: isSse ? toEvents(chunks) : toArray(chunks),
    bill: answer,
    errorFrame: isSse ? `data: ${failure}\r\n\r\n` : `,\r\n${failure}]`,
  }
}

export function answerGeminiCount(call: Call): SimulatedReply {
  const inner = call.body.generateContentRequest
  const asked = readGemini(inner === undefined ? call.body : toObject(inner), call.model)
  const { inputTokens } = toAnswer({ ...asked, outputTokensMax: 0 }, {}, () => '')
  return jsonReply({
    totalTokens: inputTokens,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: inputTokens }],
  })
}

function toParts(choice: AnswerChoice): object[] {
  const parts: object[] = []
  if (choice.reasoning !== '') parts.push({ text: choice.reasoning, thought: true })
  if (choice.text !== '' || choice.calls.length === 0) parts.push({ text: choice.text })
  for (const { id, name, arguments: callArguments } of choice.calls) {
    parts.push({ functionCall: { id, name, args: JSON.parse(callArguments) } })
  }
  return parts
}

function logprobsOf(choice: AnswerChoice, call: Call): object {
  const config = toObject(call.body.generationConfig)
  if (config.responseLogprobs !== true) return {}
  const chosen = toTokens(choice.text).map((token, position) => ({
    token,
    tokenId: position,
    logProbability: -(token.length % 4) / 100,
  }))
  const alternatives = Math.min(toNumber(config.logprobs) ?? 0, 20)
  const top = chosen.map((candidate) => ({
    candidates: Array.from({ length: alternatives }, (_, rank) => ({
      ...candidate,
      logProbability: candidate.logProbability - rank,
    })),
  }))
  return { avgLogprobs: -0.01, logprobsResult: { chosenCandidates: chosen, topCandidates: top } }
}

interface Chunk {
  readonly body: object
  readonly tokens: number
}

function* toEvents(chunks: Iterable<Chunk>): Generator<Frame> {
  // The API ends its lines in CR LF.
  for (const { body, tokens } of chunks) yield { text: `data: ${JSON.stringify(body)}\r\n\r\n`, tokens }
}

function* toArray(chunks: Iterable<Chunk>): Generator<Frame> {
  let opening = '['
  for (const { body, tokens } of chunks) {
    yield { text: opening + JSON.stringify(body), tokens }
    opening = ',\r\n'
  }
  yield { text: opening === '[' ? '[]' : ']', tokens: 0 }
}
