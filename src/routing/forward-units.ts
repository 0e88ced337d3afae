import { isObject } from '../contract/formats/chat/fields.ts'
import type { CallUnits, Incoming } from '../pipeline/exchange.ts'
import { formField, parseForm } from './multipart.ts'

/**
 * The slowest speech that is common, 32 kbit/s: what a recording's length is taken from where nobody says it. Too
 * long rather than too short, because it stands in for a price.
 */
const SPEECH_BYTES_PER_SECOND = 4000
const IMAGES_MAX = 128

/**
 * @param reply the provider's reply, where it is JSON
 * @returns our own count of what a call used, where the provider says nothing
 */
export function countUnits(incoming: Incoming, reply: unknown): CallUnits {
  const { json } = incoming
  switch (incoming.operation) {
    case 'speech':
      return { characters: typeof json?.input === 'string' ? [...json.input].length : 0 }
    case 'image':
      return {
        images: imagesIn(reply) ?? imagesAsked(incoming),
        imageQuality: wordIn(incoming, 'quality'),
        imageSize: wordIn(incoming, 'size'),
      }
    case 'rerank':
      return { searches: searchesIn(reply) ?? searchesAsked(incoming) }
    case 'transcription':
      return { audioSeconds: secondsOf(incoming) }
    default:
      return {}
  }
}

function imagesIn(reply: unknown): number | undefined {
  if (typeof reply !== 'object' || reply === null || !('data' in reply)) return undefined
  return Array.isArray(reply.data) ? reply.data.length : undefined
}

function imagesAsked(incoming: Incoming): number {
  const asked = Number(incoming.json?.n ?? field(incoming, 'n') ?? 1)
  return Number.isInteger(asked) && asked >= 1 ? Math.min(asked, IMAGES_MAX) : 1
}

/** Longer ones are no word of the API. */
const WORD_LENGTH_MAX = 20

function wordIn(incoming: Incoming, name: string): string | undefined {
  const value = incoming.json?.[name] ?? field(incoming, name)
  return typeof value === 'string' && value.length <= WORD_LENGTH_MAX ? value : undefined
}

/** What Cohere bills: `meta.billed_units` (https://docs.cohere.com/reference/rerank, read 2026-11-21). */
function searchesIn(reply: unknown): number | undefined {
  if (!isObject(reply) || !isObject(reply.meta) || !isObject(reply.meta.billed_units)) return undefined
  const { search_units: searches } = reply.meta.billed_units
  return typeof searches === 'number' && Number.isSafeInteger(searches) && searches >= 0
    ? searches
    : undefined
}

/** One for each hundred documents (https://cohere.com/pricing, read in copies on 2026-11-21). */
function searchesAsked({ json }: Incoming): number {
  const documents = json?.documents
  return Array.isArray(documents) ? Math.max(1, Math.ceil(documents.length / 100)) : 1
}

function field({ body, forward }: Incoming, name: string): string | undefined {
  if (body === undefined || forward?.contentType === undefined) return undefined
  return formField(body, parseForm(body, forward.contentType), name)
}

function secondsOf({ body, forward }: Incoming): number {
  if (body === undefined || forward?.contentType === undefined) return 0
  let seconds = 0
  for (const { filename, start, end } of parseForm(body, forward.contentType)) {
    if (filename !== undefined) seconds += recordingSeconds(body.subarray(start, end))
  }
  return seconds
}

/** A WAV file says its bytes per second (http://soundfile.sapp.org/doc/WaveFormat/, read 2026-11-21). */
function recordingSeconds(bytes: Buffer): number {
  const isWave =
    bytes.length > 44 &&
    bytes.toString('latin1', 0, 4) === 'RIFF' &&
    bytes.toString('latin1', 8, 16) === 'WAVEfmt '
  const bytesPerSecond = isWave ? bytes.readUInt32LE(28) : 0
  return (isWave ? bytes.length - 44 : bytes.length) / (bytesPerSecond || SPEECH_BYTES_PER_SECOND)
}
