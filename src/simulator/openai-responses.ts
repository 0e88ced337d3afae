/** OpenAI Responses. Shapes: `Response` and `ResponseStreamEvent` of the `openai` package, version 7. */

import { type Call, scriptSettings } from './call.ts'
import { type Asked, Transcript } from './conversation.ts'
import { contextExceeded, SimulatedError } from './error-shapes.ts'
import { type JsonObject, toList, toNumber, toObject, toText } from './json.ts'
import { readResponseFormat, readToolChoice } from './openai-request.ts'
import { type OutputItem, toResponseFrames } from './openai-responses-stream.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'
import { type Answer, toAnswer } from './script.ts'

export function answerResponses(call: Call): SimulatedReply {
  const { body, faults } = call
  const asked = readResponses(body)
  if (faults.context !== undefined && asked.inputTokens > faults.context) {
    throw contextExceeded('openai', asked.inputTokens, faults.context)
  }
  const answer = toAnswer(asked, scriptSettings(call), call.newId)
  const response = toResponse(call, answer)
  if (body.stream !== true) return jsonReply({ ...response, output: toOutput(call, answer) }, answer)
  const failed = {
    ...response,
    status: 'failed',
    usage: undefined,
    error: { code: 'server_error', message: 'The model failed.' },
  }
  return {
    kind: 'stream',
    contentType: 'text/event-stream; charset=utf-8',
    frames: toResponseFrames(response, toOutput(call, answer), answer),
    bill: answer,
    errorFrame: `event: response.failed\ndata: ${JSON.stringify({ type: 'response.failed', sequence_number: 1_000_000, response: failed })}\n\n`,
  }
}

function readResponses(body: JsonObject): Asked {
  const { input } = body
  if (toText(body.model) === '') {
    throw new SimulatedError(
      400,
      "Missing required parameter: 'model'.",
      'missing_required_parameter',
      'model',
    )
  }
  if (typeof input !== 'string' && !Array.isArray(input)) {
    throw new SimulatedError(
      400,
      "Missing required parameter: 'input'.",
      'missing_required_parameter',
      'input',
    )
  }
  const transcript = new Transcript()
  if (typeof body.instructions === 'string') {
    transcript.turn('system')
    transcript.text(body.instructions)
  }
  if (typeof input === 'string') {
    transcript.turn('user')
    transcript.text(input)
  } else {
    let role = ''
    for (const item of input) role = readItem(toObject(item), transcript, role)
  }
  // Earlier turns that the provider keeps are not kept here, so their calls cannot be known.
  if (transcript.resultWithoutCall !== undefined && body.previous_response_id == null) {
    throw new SimulatedError(
      400,
      `No tool call found for function call output with call_id ${transcript.resultWithoutCall}.`,
      undefined,
      'input',
    )
  }
  for (const tool of toList(body.tools)) {
    const offered = toObject(tool)
    if (offered.type !== 'function') continue
    transcript.tool(toText(offered.name), toText(offered.description), toObject(offered.parameters))
  }
  const toolChoice = readToolChoice(body.tool_choice, transcript)
  const format = toObject(toObject(body.text).format)
  return {
    model: toText(body.model),
    inputTokens: transcript.inputTokens,
    prompt: transcript.prompt,
    toolResults: transcript.toolResults,
    prefill: transcript.prefill,
    tools: transcript.tools,
    toolChoice,
    parallelCalls: body.parallel_tool_calls !== false,
    outputTokensMax: toNumber(body.max_output_tokens) ?? Number.POSITIVE_INFINITY,
    stops: [],
    choices: 1,
    answerSchema: readResponseFormat(format, format),
  }
}

/** @returns the role that is speaking after this item: the model's items make one turn together */
function readItem(item: JsonObject, transcript: Transcript, roleBefore: string): string {
  const enter = (role: 'user' | 'assistant' | 'tool' | 'system') => {
    if (role !== roleBefore || role === 'user') transcript.turn(role)
    return role
  }
  switch (item.type) {
    case undefined:
    case 'message': {
      const role = item.role === 'assistant' || item.role === 'user' ? item.role : 'system'
      enter(role)
      readContent(item.content, transcript)
      return role
    }
    case 'function_call':
      enter('assistant')
      transcript.call(toText(item.call_id), toText(item.name), toText(item.arguments))
      return 'assistant'
    case 'function_call_output':
      enter('tool')
      transcript.result(toText(item.call_id), resultText(item.output))
      return 'tool'
    default:
      return roleBefore
  }
}

function readContent(content: unknown, transcript: Transcript): void {
  if (typeof content === 'string') {
    transcript.text(content)
    return
  }
  for (const raw of toList(content)) {
    const part = toObject(raw)
    switch (part.type) {
      case 'input_text':
      case 'output_text':
      case 'text':
        transcript.text(toText(part.text))
        break
      case 'refusal':
        transcript.text(toText(part.refusal))
        break
      case 'input_image':
        transcript.media('image')
        break
      case 'input_audio':
        transcript.media('audio')
        break
      case 'input_file':
        transcript.media('file')
        break
    }
  }
}

function resultText(output: unknown): string {
  if (typeof output === 'string') return output
  return toList(output)
    .map((part) => toText(toObject(part).text))
    .join('\n')
}

/** @returns the finished reply without its output items */
function toResponse(call: Call, answer: Answer): JsonObject {
  const { body, nowSeconds } = call
  const cut = answer.choices[0]?.finish === 'length'
  return {
    id: call.newId('resp_'),
    object: 'response',
    created_at: nowSeconds,
    status: cut ? 'incomplete' : 'completed',
    background: false,
    completed_at: cut ? null : nowSeconds,
    error: null,
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    model: call.model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: body.reasoning ?? { effort: null, summary: null },
    service_tier: 'default',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: body.text ?? { format: { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? 'disabled',
    usage: call.faults['no-usage'] ? null : toResponseUsage(answer),
    user: body.user ?? null,
    metadata: body.metadata ?? {},
  }
}

function toResponseUsage(answer: Answer): object {
  return {
    input_tokens: answer.inputTokens,
    input_tokens_details: { cached_tokens: answer.cachedTokens, cache_write_tokens: answer.cacheWriteTokens },
    output_tokens: answer.outputTokens,
    output_tokens_details: { reasoning_tokens: answer.reasoningTokens },
    total_tokens: answer.inputTokens + answer.outputTokens,
  }
}

function toOutput(call: Call, answer: Answer): OutputItem[] {
  const choice = answer.choices[0]
  if (choice === undefined) return []
  const status = choice.finish === 'length' ? 'incomplete' : 'completed'
  const items: OutputItem[] = []
  if (choice.reasoning !== '') {
    const summary = [{ type: 'summary_text', text: choice.reasoning }]
    items.push({ id: call.newId('rs_'), type: 'reasoning', summary })
  }
  if (choice.text !== '' || choice.calls.length === 0) {
    const content = [{ type: 'output_text', text: choice.text, annotations: [], logprobs: [] }]
    items.push({ id: call.newId('msg_'), type: 'message', status, role: 'assistant', content })
  }
  for (const { id, name, arguments: callArguments } of choice.calls) {
    items.push({
      id: call.newId('fc_'),
      type: 'function_call',
      status: 'completed',
      call_id: id,
      name,
      arguments: callArguments,
    })
  }
  return items
}
