import type { ChatRequest, MediaSource, Message, Part, Tool } from '../contract/chat.ts'
import { countTokens, encodingOf } from '../core/token-count.ts'
import { estimateTokens } from '../core/tokens.ts'
import { imageTokens } from './image-tokens.ts'

/**
 * What surrounds a message, a name and the coming answer in the model's own format
 * (https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken, section 6, read 2026-11-21).
 */
const TOKENS_PER_MESSAGE = 3
const TOKENS_PER_NAME = 1
const TOKENS_PRIMING_REPLY = 3

/**
 * What surrounds a tool call, and all definitions of tools together: the constants of gpt-tokenizer 4.0.0
 * (`functionCalling.js`), found by comparing with the API's own counts.
 */
const TOKENS_PER_TOOL_CALL = 3
const TOKENS_AROUND_TOOLS = 9

/** Gemini counts 32 tokens for a second of sound (https://ai.google.dev/gemini-api/docs/tokens, read 2026-11-21);
 * others count fewer. Compressed speech has at least 4,000 bytes a second. */
const AUDIO_TOKENS_PER_SECOND = 32
const AUDIO_BYTES_PER_SECOND = 4000

/** The dearest provider counts up to 2,481 tokens for a page of a PDF
 * (https://huggingface.co/datasets/JOHNISKING/pdf-token-cost, read 2026-11-21). A page has about 30 kB. */
const PAGE_TOKENS = 2500
const PAGE_BYTES = 30_000

/** A file or sound behind a URL or an id is of unknown size: counted as one long enough for most. */
const UNSEEN_MEDIA_BYTES = 300_000

interface Tally {
  /** Counted by the tokenizer at the end, each by itself. */
  readonly texts: string[]
  tokens: number
}

/**
 * @returns tokens of a whole request: text as the model's tokenizer counts it (o200k_base for makers who publish
 *   none), roles, names, tools and their results with their overhead; images, sound and files by upper estimates
 */
export async function countChatTokens(request: ChatRequest, model: string): Promise<number> {
  const tally: Tally = { texts: [], tokens: TOKENS_PRIMING_REPLY }
  for (const message of request.messages) tallyMessage(tally, message, model)
  if (request.tools !== undefined && request.tools.length > 0) {
    tally.tokens += TOKENS_AROUND_TOOLS
    for (const tool of request.tools) tallyTool(tally, tool)
  }
  if (request.responseFormat?.type === 'json-schema') tallyJson(tally, request.responseFormat.schema)
  return tally.tokens + (await countTokens(tally.texts, encodingOf(model)))
}

function tallyMessage(tally: Tally, message: Message, model: string): void {
  tally.tokens += TOKENS_PER_MESSAGE
  tally.texts.push(message.role)
  if (message.name !== undefined) {
    tally.tokens += TOKENS_PER_NAME
    tally.texts.push(message.name)
  }
  for (const part of message.content) tallyPart(tally, part, model)
}

function tallyPart(tally: Tally, part: Part, model: string): void {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      tally.texts.push(part.text)
      return
    case 'image':
      tally.tokens += imageTokens(model, part.detail)
      return
    case 'audio':
      tally.tokens += Math.ceil((bytesOf(part.source) / AUDIO_BYTES_PER_SECOND) * AUDIO_TOKENS_PER_SECOND)
      return
    case 'file':
      tally.tokens += fileTokens(part.source)
      return
    case 'tool-call':
      tally.tokens += TOKENS_PER_TOOL_CALL
      tally.texts.push(part.name, part.arguments)
      return
    case 'tool-result':
      if (part.name !== undefined) tally.texts.push(part.name)
      for (const inner of part.content) tallyPart(tally, inner, model)
      return
    case 'other':
      tallyJson(tally, part.raw)
  }
}

/** Counted as the JSON it came as: each maker turns it into a text of its own, OpenAI's is shorter. */
function tallyTool(tally: Tally, tool: Tool): void {
  tally.texts.push(tool.name)
  if (tool.description !== undefined) tally.texts.push(tool.description)
  if (tool.parameters !== undefined) tallyJson(tally, tool.parameters)
}

function tallyJson(tally: Tally, value: unknown): void {
  tally.texts.push(JSON.stringify(value) ?? '')
}

function fileTokens(source: MediaSource): number {
  const bytes = bytesOf(source)
  const isText = source.kind === 'base64' && /^(?:text\/|application\/json)/.test(source.mediaType)
  return isText ? estimateTokens(bytes) : Math.ceil(bytes / PAGE_BYTES) * PAGE_TOKENS
}

function bytesOf(source: MediaSource): number {
  return source.kind === 'base64' ? Math.ceil((source.data.length * 3) / 4) : UNSEEN_MEDIA_BYTES
}
