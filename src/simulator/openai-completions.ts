/** OpenAI's legacy completions, which editors still use to fill in code. Shape: `Completion` of the `openai` package. */

import { type Call, scriptSettings } from './call.ts'
import type { Asked } from './conversation.ts'
import { toDeltas } from './deltas.ts'
import { contextExceeded, SimulatedError } from './error-shapes.ts'
import { toNumber, toObject, toTexts } from './json.ts'
import { toUsage } from './openai-usage.ts'
import { type Frame, jsonReply, type SimulatedReply } from './reply.ts'
import { type Answer, type AnswerChoice, toAnswer } from './script.ts'
import { countTokens } from './tokens.ts'

/** The API stops here where the caller does not say. `CompletionCreateParams.max_tokens`. */
const OUTPUT_TOKENS_DEFAULT = 16

export function answerCompletions(call: Call): SimulatedReply {
  const { body, faults, model } = call
  if (model === '') throw new SimulatedError(400, 'you must provide a model parameter')
  const prompts = toTexts(body.prompt ?? '')
  const answers = prompts.map((prompt) => toAnswer(toAsked(call, prompt), scriptSettings(call), call.newId))
  const total = sum(answers)
  if (faults.context !== undefined && total.inputTokens > faults.context) {
    throw contextExceeded('openai', total.inputTokens, faults.context)
  }
  const head = { id: call.newId('cmpl-'), object: 'text_completion', created: call.nowSeconds, model }
  if (body.stream === true) {
    return {
      kind: 'stream',
      contentType: 'text/event-stream; charset=utf-8',
      frames: toFrames(call, head, total),
      bill: total,
      errorFrame:
        'data: {"error":{"message":"The server had an error.","type":"server_error","param":null,"code":null}}\n\n',
    }
  }
  const choices = total.choices.map((choice, index) => toChoice(index, choice.text, finishOf(choice)))
  return jsonReply({ ...head, choices, ...(faults['no-usage'] ? {} : { usage: toUsage(total) }) }, total)
}

function toAsked({ body, model }: Call, prompt: string): Asked {
  return {
    model,
    inputTokens: countTokens(prompt),
    prompt,
    toolResults: [],
    prefill: '',
    tools: [],
    toolChoice: 'none',
    parallelCalls: false,
    outputTokensMax: toNumber(body.max_tokens) ?? OUTPUT_TOKENS_DEFAULT,
    stops: toTexts(body.stop),
    choices: toNumber(body.n) ?? 1,
    answerSchema: undefined,
  }
}

function sum(answers: readonly Answer[]): Answer {
  const add = (read: (answer: Answer) => number) => answers.reduce((total, answer) => total + read(answer), 0)
  return {
    choices: answers.flatMap((answer) => answer.choices),
    inputTokens: add((answer) => answer.inputTokens),
    cachedTokens: add((answer) => answer.cachedTokens),
    cacheWriteTokens: add((answer) => answer.cacheWriteTokens),
    outputTokens: add((answer) => answer.outputTokens),
    reasoningTokens: add((answer) => answer.reasoningTokens),
  }
}

function finishOf(choice: AnswerChoice): string {
  return choice.finish === 'length' ? 'length' : 'stop'
}

function toChoice(index: number, text: string, finishReason: string | null): object {
  return { index, text, logprobs: null, finish_reason: finishReason }
}

function* toFrames(call: Call, head: object, answer: Answer): Generator<Frame> {
  const withUsage = toObject(call.body.stream_options).include_usage === true && !call.faults['no-usage']
  const frame = (fields: object, tokens: number): Frame => ({
    text: `data: ${JSON.stringify({ ...head, ...(withUsage ? { usage: null } : {}), ...fields })}\n\n`,
    tokens,
  })
  for (const [index, choice] of answer.choices.entries()) {
    for (const delta of toDeltas(choice)) {
      if (delta.kind === 'text') yield frame({ choices: [toChoice(index, delta.text, null)] }, delta.tokens)
    }
    yield frame({ choices: [toChoice(index, '', finishOf(choice))] }, 0)
  }
  if (withUsage) yield frame({ choices: [], usage: toUsage(answer) }, 0)
  yield { text: 'data: [DONE]\n\n', tokens: 0 }
}
