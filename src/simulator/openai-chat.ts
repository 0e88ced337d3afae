/** OpenAI chat completions. Shapes: `ChatCompletion` and `ChatCompletionChunk` of the `openai` package, version 7. */

import { type Call, scriptSettings } from './call.ts'
import { type Asked, Transcript } from './conversation.ts'
import { contextExceeded, SimulatedError } from './error-shapes.ts'
import { type JsonObject, toList, toNumber, toObject, toText, toTexts } from './json.ts'
import { CHAT_FINISH, toChatFrames } from './openai-chat-stream.ts'
import { readResponseFormat, readToolChoice } from './openai-request.ts'
import { toLogprobs, toUsage } from './openai-usage.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'
import { type Answer, type AnswerChoice, toAnswer } from './script.ts'
import { toTokens } from './tokens.ts'

export function answerChat(call: Call): SimulatedReply {
  const { body, faults } = call
  const asked = readChat(body)
  if (faults.context !== undefined && asked.inputTokens > faults.context) {
    throw contextExceeded('openai', asked.inputTokens, faults.context)
  }
  const answer = toAnswer(asked, scriptSettings(call), call.newId)
  if (body.stream === true) {
    return {
      kind: 'stream',
      contentType: 'text/event-stream; charset=utf-8',
      frames: toChatFrames(call, answer),
      bill: answer,
      errorFrame: `data: ${JSON.stringify({ error: { message: 'The server had an error while processing your request. Sorry about that!', type: 'server_error', param: null, code: null } })}\n\n`,
    }
  }
  return jsonReply(toCompletion(call, answer), answer)
}

function readChat(body: JsonObject): Asked {
  const messages = toList(body.messages)
  if (toText(body.model) === '') throw new SimulatedError(400, 'you must provide a model parameter')
  if (messages.length === 0) {
    throw new SimulatedError(
      400,
      "Invalid 'messages': empty array. Expected an array with minimum length 1.",
      'empty_array',
      'messages',
    )
  }
  const transcript = new Transcript()
  for (const message of messages) readMessage(toObject(message), transcript)
  refuseUnpaired(transcript)
  for (const tool of toList(body.tools)) {
    const offered = toObject(toObject(tool).function)
    if (offered.name === undefined) continue
    transcript.tool(toText(offered.name), toText(offered.description), toObject(offered.parameters))
  }
  const toolChoice = readToolChoice(body.tool_choice, transcript)
  const format = toObject(body.response_format)
  return {
    model: toText(body.model),
    inputTokens: transcript.inputTokens,
    prompt: transcript.prompt,
    toolResults: transcript.toolResults,
    prefill: transcript.prefill,
    tools: transcript.tools,
    toolChoice,
    parallelCalls: body.parallel_tool_calls !== false,
    outputTokensMax: toNumber(body.max_completion_tokens ?? body.max_tokens) ?? Number.POSITIVE_INFINITY,
    stops: toTexts(body.stop),
    choices: toNumber(body.n) ?? 1,
    answerSchema: readResponseFormat(format, toObject(format.json_schema)),
  }
}

function readMessage(message: JsonObject, transcript: Transcript): void {
  const { role, content } = message
  switch (role) {
    case 'system':
    case 'developer':
      transcript.turn('system')
      break
    case 'user':
      transcript.turn('user')
      break
    case 'assistant':
      transcript.turn('assistant')
      break
    case 'tool':
      transcript.turn('tool')
      transcript.result(toText(message.tool_call_id), joinedText(content))
      return
    default:
      throw new SimulatedError(400, `Invalid value: '${String(role)}'.`, 'invalid_value', 'messages[].role')
  }
  if (typeof content === 'string') transcript.text(content)
  else for (const part of toList(content)) readPart(toObject(part), transcript)
  for (const item of toList(message.tool_calls)) {
    const made = toObject(item)
    const details = toObject(made.function ?? made.custom)
    transcript.call(toText(made.id), toText(details.name), toText(details.arguments ?? details.input))
  }
}

function readPart(part: JsonObject, transcript: Transcript): void {
  switch (part.type) {
    case 'text':
      transcript.text(toText(part.text))
      break
    case 'refusal':
      transcript.text(toText(part.refusal))
      break
    case 'image_url':
      transcript.media('image')
      break
    case 'input_audio':
      transcript.media('audio')
      break
    case 'file':
      transcript.media('file')
      break
  }
}

function joinedText(content: unknown): string {
  if (typeof content === 'string') return content
  return toList(content)
    .map((part) => toText(toObject(part).text))
    .join('\n')
}

function refuseUnpaired({ resultWithoutCall, callWithoutResult }: Transcript): void {
  if (resultWithoutCall !== undefined) {
    throw new SimulatedError(
      400,
      "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
      undefined,
      'messages',
    )
  }
  if (callWithoutResult !== undefined) {
    throw new SimulatedError(
      400,
      `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${callWithoutResult}`,
      undefined,
      'messages',
    )
  }
}

function toCompletion(call: Call, answer: Answer): object {
  const usage = toUsage(answer)
  return {
    id: call.newId('chatcmpl-'),
    object: 'chat.completion',
    created: call.nowSeconds,
    model: call.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: toMessage(choice),
      logprobs:
        call.body.logprobs === true
          ? { content: toLogprobs(toTokens(choice.text), call.body.top_logprobs), refusal: null }
          : null,
      finish_reason: CHAT_FINISH[choice.finish],
    })),
    ...(call.faults['no-usage'] ? {} : { usage }),
    service_tier: 'default',
    system_fingerprint: 'fp_simulator',
  }
}

function toMessage(choice: AnswerChoice): object {
  const { text, calls, reasoning } = choice
  return {
    role: 'assistant',
    content: calls.length > 0 && text === '' ? null : text,
    refusal: null,
    annotations: [],
    // The chat format has no field for thoughts; this is DeepSeek's, which most clients read.
    // https://api-docs.deepseek.com/guides/reasoning_model
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, arguments: callArguments }) => ({
            id,
            type: 'function',
            function: { name, arguments: callArguments },
          })),
        }),
  }
}
