/** OpenAI images and audio. Shapes: `ImagesResponse`, `Transcription` of the `openai` package, version 7. */

import type { Call } from './call.ts'
import { SimulatedError } from './error-shapes.ts'
import { toNumber, toText } from './json.ts'
import { type BodyReply, FREE, jsonReply, type SimulatedReply } from './reply.ts'
import { countTokens } from './tokens.ts'

/** A picture costs this much output, whatever its size. */
const IMAGE_OUTPUT_TOKENS = 100

/** A transcript pretends that every file is one second long. */
const SECONDS = 1

/** One transparent pixel. */
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='

export function answerImages(call: Call): SimulatedReply {
  const { body, faults } = call
  const prompt = toText(body.prompt)
  if (prompt === '') {
    throw new SimulatedError(
      400,
      "Missing required parameter: 'prompt'.",
      'missing_required_parameter',
      'prompt',
    )
  }
  const count = Math.max(1, Math.min(toNumber(body.n) ?? 1, 10))
  const image =
    body.response_format === 'url' ? { url: `data:image/png;base64,${PIXEL}` } : { b64_json: PIXEL }
  const bill = { inputTokens: countTokens(prompt), outputTokens: count * IMAGE_OUTPUT_TOKENS }
  const usage = {
    input_tokens: bill.inputTokens,
    input_tokens_details: { text_tokens: bill.inputTokens, image_tokens: 0 },
    output_tokens: bill.outputTokens,
    total_tokens: bill.inputTokens + bill.outputTokens,
  }
  return jsonReply(
    {
      created: call.nowSeconds,
      data: Array.from({ length: count }, () => image),
      ...(faults['no-usage'] ? {} : { usage }),
    },
    bill,
  )
}

/** Samples of a sound: silence, 8 kHz, 16 bits. */
const SAMPLES_PER_TOKEN = 400
const SAMPLE_RATE_HZ = 8000
const SPOKEN_TOKENS_MAX = 10_000

const AUDIO_TYPES: Readonly<Record<string, string>> = {
  wav: 'audio/wav',
  pcm: 'audio/pcm',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
}

/** Silence, longer for a longer text. The bytes are WAV whatever type was asked for: nobody listens. */
export function answerSpeech(call: Call): SimulatedReply {
  const text = toText(call.body.input)
  if (text === '') {
    throw new SimulatedError(
      400,
      "Missing required parameter: 'input'.",
      'missing_required_parameter',
      'input',
    )
  }
  const tokens = countTokens(text)
  return {
    kind: 'body',
    status: 200,
    contentType: AUDIO_TYPES[toText(call.body.response_format)] ?? 'audio/mpeg',
    body: toSilence(Math.min(tokens, SPOKEN_TOKENS_MAX) * SAMPLES_PER_TOKEN),
    bill: { inputTokens: tokens, outputTokens: 0 },
  }
}

/** http://soundfile.sapp.org/doc/WaveFormat/ */
function toSilence(samples: number): Buffer {
  const wave = Buffer.alloc(44 + samples * 2)
  wave.write('RIFF', 0)
  wave.writeUInt32LE(36 + samples * 2, 4)
  wave.write('WAVEfmt ', 8)
  wave.writeUInt32LE(16, 16)
  wave.writeUInt16LE(1, 20)
  wave.writeUInt16LE(1, 22)
  wave.writeUInt32LE(SAMPLE_RATE_HZ, 24)
  wave.writeUInt32LE(SAMPLE_RATE_HZ * 2, 28)
  wave.writeUInt16LE(2, 32)
  wave.writeUInt16LE(16, 34)
  wave.write('data', 36)
  wave.writeUInt32LE(samples * 2, 40)
  return wave
}

/** Says which file it was given. `whisper-1` is charged by time, every other model by tokens. */
export async function answerTranscription(call: Call): Promise<SimulatedReply> {
  const form = await readForm(call)
  const file = form.get('file')
  if (!(file instanceof File)) {
    throw new SimulatedError(400, "Missing required parameter: 'file'.", 'missing_required_parameter', 'file')
  }
  const text = `Transcript of ${file.name}`
  switch (form.get('response_format')) {
    case 'text':
      return plain(`${text}\n`)
    case 'srt':
      return plain(`1\n00:00:00,000 --> 00:00:01,000\n${text}\n\n`)
    case 'vtt':
      return plain(`WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n${text}\n\n`)
    case 'verbose_json':
      return jsonReply({
        task: 'transcribe',
        language: 'english',
        duration: SECONDS,
        text,
        segments: [],
        usage: { type: 'duration', seconds: SECONDS },
      })
  }
  if (form.get('model') === 'whisper-1') {
    return jsonReply({ text, usage: { type: 'duration', seconds: SECONDS } })
  }
  const bill = { inputTokens: 50, outputTokens: countTokens(text) }
  const usage = {
    type: 'tokens',
    input_tokens: bill.inputTokens,
    input_token_details: { text_tokens: 0, audio_tokens: bill.inputTokens },
    output_tokens: bill.outputTokens,
    total_tokens: bill.inputTokens + bill.outputTokens,
  }
  return jsonReply({ text, ...(call.faults['no-usage'] ? {} : { usage }) }, bill)
}

/** @throws SimulatedError 400 where the body is no form */
export async function readForm(call: Call): Promise<FormData> {
  try {
    const request = new Response(new Uint8Array(call.bytes), {
      headers: { 'content-type': call.contentType },
    })
    return await request.formData()
  } catch {
    throw new SimulatedError(400, 'Could not parse multipart form.')
  }
}

function plain(body: string): BodyReply {
  return { kind: 'body', status: 200, contentType: 'text/plain; charset=utf-8', body, bill: FREE }
}
