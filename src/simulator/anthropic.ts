/** Anthropic Messages. Shapes: `Message` and `RawMessageStreamEvent` of `@anthropic-ai/sdk`, version 1. */

import { toMessageFrames } from './anthropic-stream.ts'
import { toMessageUsage, toSignature, toStopReason } from './anthropic-words.ts'
import { type Call, scriptSettings } from './call.ts'
import { type Asked, type ToolChoice, Transcript } from './conversation.ts'
import { contextExceeded, SimulatedError } from './error-shapes.ts'
import { type JsonObject, toList, toNumber, toObject, toText, toTexts } from './json.ts'
import { jsonReply, type SimulatedReply } from './reply.ts'
import { type Answer, type AnswerChoice, toAnswer } from './script.ts'

export function answerMessages(call: Call): SimulatedReply {
  const { body, faults } = call
  const outputTokensMax = toNumber(body.max_tokens)
  if (outputTokensMax === undefined) throw new SimulatedError(400, 'max_tokens: Field required')
  if (outputTokensMax < 1)
    throw new SimulatedError(400, 'max_tokens: Input should be greater than or equal to 1')
  const asked = readMessages(body, outputTokensMax)
  if (faults.context !== undefined && asked.inputTokens > faults.context) {
    throw contextExceeded('anthropic', asked.inputTokens, faults.context)
  }
  const answer = toAnswer({ ...asked, choices: 1 }, scriptSettings(call), () => call.newId('toolu_'))
  if (body.stream === true) {
    return {
      kind: 'stream',
      contentType: 'text/event-stream; charset=utf-8',
      frames: toMessageFrames(call, answer),
      bill: answer,
      errorFrame: `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })}\n\n`,
    }
  }
  return jsonReply(toMessage(call, answer), answer)
}

export function answerCountTokens(call: Call): SimulatedReply {
  const asked = readMessages(call.body, Number.POSITIVE_INFINITY)
  // `fixed-200-50` has to be counted as it will be charged.
  const { inputTokens } = toAnswer({ ...asked, outputTokensMax: 0 }, {}, () => '')
  return jsonReply({ input_tokens: inputTokens })
}

function readMessages(body: JsonObject, outputTokensMax: number): Asked {
  const messages = toList(body.messages)
  if (toText(body.model) === '') throw new SimulatedError(400, 'model: Field required')
  if (messages.length === 0) throw new SimulatedError(400, 'messages: at least one message is required')
  const transcript = new Transcript()
  transcript.turn('system')
  readTexts(body.system, transcript)
  for (const [index, message] of messages.entries()) readMessage(toObject(message), index, transcript)
  if (transcript.resultWithoutCall !== undefined) {
    throw new SimulatedError(
      400,
      `messages: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${transcript.resultWithoutCall}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
    )
  }
  if (transcript.callWithoutResult !== undefined) {
    throw new SimulatedError(
      400,
      `messages: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${transcript.callWithoutResult}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
    )
  }
  for (const raw of toList(body.tools)) {
    const tool = toObject(raw)
    // Tools that the provider runs itself have no schema and are never called here.
    if (tool.input_schema === undefined) continue
    transcript.tool(toText(tool.name), toText(tool.description), toObject(tool.input_schema))
  }
  const choice = toObject(body.tool_choice)
  const format = toObject(toObject(body.output_config).format ?? body.output_format)
  return {
    model: toText(body.model),
    inputTokens: transcript.inputTokens,
    prompt: transcript.prompt,
    toolResults: transcript.toolResults,
    prefill: transcript.prefill,
    tools: transcript.tools,
    toolChoice: readToolChoice(choice),
    parallelCalls: choice.disable_parallel_tool_use !== true,
    outputTokensMax,
    stops: toTexts(body.stop_sequences),
    choices: 1,
    answerSchema: format.type === 'json_schema' ? toObject(format.schema) : undefined,
  }
}

function readToolChoice(choice: JsonObject): ToolChoice {
  switch (choice.type) {
    case 'any':
      return 'required'
    case 'none':
      return 'none'
    case 'tool':
      return { names: [toText(choice.name)] }
    default:
      return 'auto'
  }
}

function readMessage(message: JsonObject, index: number, transcript: Transcript): void {
  const { role, content } = message
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new SimulatedError(400, `messages.${index}.role: Input should be 'user' or 'assistant'`)
  }
  if (typeof content === 'string') {
    transcript.turn(role)
    transcript.text(content)
    return
  }
  const blocks = toList(content).map(toObject)
  const results = blocks.filter((block) => block.type === 'tool_result')
  if (results.length > 0) transcript.turn('tool')
  for (const result of results) transcript.result(toText(result.tool_use_id), resultText(result.content))
  const others = blocks.filter((block) => block.type !== 'tool_result')
  if (others.length > 0) transcript.turn(role)
  for (const block of others) readBlock(block, transcript)
}

function readBlock(block: JsonObject, transcript: Transcript): void {
  switch (block.type) {
    case 'text':
      transcript.text(toText(block.text))
      break
    case 'tool_use':
      transcript.call(toText(block.id), toText(block.name), JSON.stringify(block.input ?? {}))
      break
    case 'image':
      transcript.media('image')
      break
    case 'document':
      transcript.media('file')
      break
  }
}

function readTexts(content: unknown, transcript: Transcript): void {
  if (typeof content === 'string') transcript.text(content)
  else for (const block of toList(content)) transcript.text(toText(toObject(block).text))
}

function resultText(content: unknown): string {
  if (typeof content === 'string') return content
  return toList(content)
    .map((block) => toText(toObject(block).text))
    .join('\n')
}

function toMessage(call: Call, answer: Answer): object {
  const choice = answer.choices[0]
  return {
    id: call.newId('msg_'),
    type: 'message',
    role: 'assistant',
    model: call.model,
    content: choice === undefined ? [] : toContent(choice),
    stop_reason: toStopReason(choice),
    stop_sequence: choice?.stopSequence ?? null,
    ...(call.faults['no-usage']
      ? {}
      : { usage: toMessageUsage(answer, answer.outputTokens, answer.reasoningTokens) }),
  }
}

function toContent(choice: AnswerChoice): object[] {
  const blocks: object[] = []
  if (choice.reasoning !== '') {
    blocks.push({ type: 'thinking', thinking: choice.reasoning, signature: toSignature(choice.reasoning) })
  }
  if (choice.text !== '') blocks.push({ type: 'text', text: choice.text })
  for (const { id, name, arguments: callArguments } of choice.calls) {
    blocks.push({ type: 'tool_use', id, name, input: JSON.parse(callArguments) })
  }
  return blocks
}
