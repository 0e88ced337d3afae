/** What goes over the wire in every measurement: the same bytes for every candidate. */

export const PATH = '/v1/chat/completions'
export const MODEL = 'gpt-4o'

const PROMPT_LENGTH = 2000
const REPLY_TEXT_LENGTH = 640
// Quotes, line breaks and digits in the mix of ordinary prose, so that JSON escapes happen as often as in life.
const PROSE =
  'The committee met on 14 March and asked for "a short note" on the three open points:\n' +
  'who pays for the crossing, how long it takes, and what happens when the river is high. '

/** Digits that make each prompt unlike any before, so that no cache of a candidate can answer for the upstream. */
const SERIAL_LENGTH = 12
const SERIAL_MARK = '0'.repeat(SERIAL_LENGTH)
const TIME_LENGTH = 16
const SEQUENCE_LENGTH = 4

interface Template {
  readonly bytes: Buffer
  readonly serialAt: number
}

function toTemplate(stream: boolean): Template {
  const text = JSON.stringify({
    model: MODEL,
    messages: [
      { role: 'system', content: 'You answer in one paragraph and say what you are not sure of.' },
      { role: 'user', content: `Call ${SERIAL_MARK}. ${proseOf(PROMPT_LENGTH)}` },
    ],
    temperature: 0.2,
    max_tokens: 400,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  })
  return { bytes: Buffer.from(text), serialAt: text.indexOf(SERIAL_MARK) }
}

const JSON_REQUEST = toTemplate(false)
const STREAM_REQUEST = toTemplate(true)
/** What the upstream looks for in a body; parsing it would cost more than the rest of the reply. */
export const STREAM_MARK = Buffer.from('"stream":true')

/** @returns a request of about 2 kB that no other call has sent */
export function jsonRequest(serial: number): Buffer {
  return fill(JSON_REQUEST, serial)
}

export function streamRequest(serial: number): Buffer {
  return fill(STREAM_REQUEST, serial)
}

function fill({ bytes, serialAt }: Template, serial: number): Buffer {
  const body = Buffer.from(bytes)
  body.write(digits(serial, SERIAL_LENGTH), serialAt, 'latin1')
  return body
}

const REPLY_TEXT = proseOf(REPLY_TEXT_LENGTH)

/** A reply of about 1 kB, as OpenAI writes it. */
export const JSON_REPLY = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1_750_000_000,
    model: 'gpt-4o-2024-08-06',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: REPLY_TEXT, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: usage(),
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
  }),
)

/** @returns whether a reply says what the upstream said, however its bytes were written */
export function isExpectedReply(bytes: Buffer): boolean {
  if (bytes.equals(JSON_REPLY)) return true
  try {
    const reply = JSON.parse(bytes.toString()) as { choices?: { message?: { content?: unknown } }[] }
    return reply.choices?.[0]?.message?.content === REPLY_TEXT
  } catch {
    return false
  }
}

/** One piece of a streamed text. Times are microseconds of the monotonic clock, which all processes share. */
export interface Piece {
  readonly sequence: number
  /** When the upstream had the request. */
  readonly receivedUs: number
  /** When the upstream wrote this piece. */
  readonly sentUs: number
}

const CONTENT_MARK = '@'
const CONTENT_LENGTH = SEQUENCE_LENGTH + 1 + TIME_LENGTH + 1 + TIME_LENGTH
const PIECE_TEXT = ' of the three open points'
const [PIECE_HEAD = '', PIECE_TAIL = ''] = frame({
  choices: [{ index: 0, delta: { content: CONTENT_MARK + PIECE_TEXT }, logprobs: null, finish_reason: null }],
}).split(CONTENT_MARK)
const HEAD_BYTES = Buffer.from(PIECE_HEAD)
const TAIL_BYTES = Buffer.from(PIECE_TAIL)
const PIECE_BYTES = HEAD_BYTES.length + CONTENT_LENGTH + TAIL_BYTES.length

export const OPENING = frame({
  choices: [{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }],
})
/** The frames after the last piece, in order. */
export const CLOSING = [
  frame({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }] }),
  frame({ choices: [], usage: usage() }),
  'data: [DONE]\n\n',
]

export function pieceFrame({ sequence, receivedUs, sentUs }: Piece): string {
  const content = `${digits(sequence, SEQUENCE_LENGTH)} ${digits(receivedUs, TIME_LENGTH)} ${digits(sentUs, TIME_LENGTH)}`
  return PIECE_HEAD + content + PIECE_TAIL
}

/** @returns the piece, where the frame is byte for byte one that the upstream wrote */
export function readPieceFrame(bytes: Buffer): Piece | undefined {
  if (bytes.length !== PIECE_BYTES) return undefined
  const contentEnd = HEAD_BYTES.length + CONTENT_LENGTH
  if (bytes.compare(HEAD_BYTES, 0, HEAD_BYTES.length, 0, HEAD_BYTES.length) !== 0) return undefined
  if (bytes.compare(TAIL_BYTES, 0, TAIL_BYTES.length, contentEnd) !== 0) return undefined
  return readContent(bytes.toString('latin1', HEAD_BYTES.length, contentEnd))
}

/** @returns the piece, where the frame says the same in other bytes: fields moved, added or left out */
export function readAlteredFrame(bytes: Buffer): Piece | undefined {
  const content = contentOf(bytes)
  if (content === undefined || content.length !== CONTENT_LENGTH + PIECE_TEXT.length) return undefined
  return content.endsWith(PIECE_TEXT) ? readContent(content.slice(0, CONTENT_LENGTH)) : undefined
}

function contentOf(bytes: Buffer): string | undefined {
  try {
    const json = JSON.parse(bytes.toString().replace(/^data:/, '')) as {
      choices?: { delta?: { content?: string } }[]
    }
    return json.choices?.[0]?.delta?.content
  } catch {
    return undefined
  }
}

/** @returns whether two frames say the same */
export function isSameFrame(bytes: Buffer, expected: string): boolean {
  const text = bytes.toString()
  if (text === expected) return true
  const value = (frameText: string) => frameText.replace(/^data:/, '').trim()
  if (value(expected) === '[DONE]') return value(text) === '[DONE]'
  try {
    const given = JSON.parse(value(text)) as { choices?: unknown; usage?: unknown }
    const wanted = JSON.parse(value(expected)) as { choices?: unknown; usage?: unknown }
    return JSON.stringify([given.choices, given.usage]) === JSON.stringify([wanted.choices, wanted.usage])
  } catch {
    return false
  }
}

function readContent(content: string): Piece | undefined {
  if (!/^\d{4} \d{16} \d{16}$/.test(content)) return undefined
  return {
    sequence: Number(content.slice(0, SEQUENCE_LENGTH)),
    receivedUs: Number(content.slice(SEQUENCE_LENGTH + 1, SEQUENCE_LENGTH + 1 + TIME_LENGTH)),
    sentUs: Number(content.slice(-TIME_LENGTH)),
  }
}

function frame(fields: Record<string, unknown>): string {
  return `data: ${JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_750_000_000,
    model: 'gpt-4o-2024-08-06',
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
    ...fields,
  })}\n\n`
}

function usage() {
  return {
    prompt_tokens: 452,
    completion_tokens: 138,
    total_tokens: 590,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  }
}

function proseOf(length: number): string {
  return PROSE.repeat(Math.ceil(length / PROSE.length)).slice(0, length)
}

function digits(value: number, length: number): string {
  return Math.floor(value).toString().padStart(length, '0')
}
