import type { ChatChoice, ChatReply, Part } from '../../contract/chat.ts'
import { isObject, type JsonObject } from '../../contract/formats/gemini/fields.ts'
import { fromLogprobsResult } from '../../contract/formats/gemini/logprobs.ts'
import { CANDIDATE_METADATA } from '../../contract/formats/gemini/wire.ts'
import { GatewayError } from '../../core/errors.ts'
import { toCallId } from './call-id.ts'
import { fromFinishReason } from './finish-reason.ts'
import { fromPart } from './from-part.ts'
import { usageOf } from './usage.ts'

/**
 * @param body a `GenerateContentResponse`
 * @returns the reply; `createdSeconds` is 0, because Gemini does not say it and a mapper has no clock
 * @throws GatewayError `upstream_error` where the body is no such response, or one without any answer
 */
export function fromReply(body: unknown): ChatReply {
  if (!isObject(body)) throw noReply('The provider answered something that is no reply of Gemini.')
  const id = text(body.responseId)
  const candidates: readonly unknown[] = Array.isArray(body.candidates) ? body.candidates : []
  const blocked = blockReasonOf(body)
  if (candidates.length === 0 && blocked === undefined) {
    throw noReply('The provider answered without any candidate.')
  }
  return {
    id,
    model: text(body.modelVersion),
    createdSeconds: secondsOf(body.createTime),
    choices:
      candidates.length === 0 && blocked !== undefined
        ? [{ index: 0, content: [], finishReason: 'content-filter', rawFinishReason: blocked }]
        : candidates.filter(isObject).map((candidate, position) => toChoice(candidate, position, id)),
    usage: usageOf(body),
  }
}

/** @returns why the prompt was blocked; then there is no candidate */
export function blockReasonOf(body: JsonObject): string | undefined {
  const feedback = body.promptFeedback
  const reason = isObject(feedback) ? feedback.blockReason : undefined
  return typeof reason === 'string' ? reason : undefined
}

/** @returns facts about a candidate that only Gemini's format has, or `undefined` */
export function metadataOf(candidate: JsonObject): JsonObject | undefined {
  const kept = CANDIDATE_METADATA.filter((name) => candidate[name] !== undefined && candidate[name] !== null)
  return kept.length === 0 ? undefined : Object.fromEntries(kept.map((name) => [name, candidate[name]]))
}

/** @returns Vertex AI's `createTime` in seconds; 0 = unknown */
export function secondsOf(createTime: unknown): number {
  const ms = typeof createTime === 'string' ? Date.parse(createTime) : Number.NaN
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000)
}

function toChoice(candidate: JsonObject, position: number, responseId: string): ChatChoice {
  const index = typeof candidate.index === 'number' ? candidate.index : position
  const content = isObject(candidate.content) ? candidate.content : {}
  const parts: readonly unknown[] = Array.isArray(content.parts) ? content.parts : []
  const state = { responseId, index, calls: 0 }
  const metadata = metadataOf(candidate)
  const written = parts.flatMap((part) => toParts(part, state))
  const raw = text(candidate.finishReason)
  const finishReason = fromFinishReason(raw, state.calls > 0)
  const logprobs = fromLogprobsResult(candidate.logprobsResult)
  return {
    index,
    content:
      metadata === undefined ? written : [...written, { type: 'other', format: 'gemini', raw: metadata }],
    finishReason,
    ...(raw === '' ? {} : { rawFinishReason: raw }),
    ...(logprobs === undefined ? {} : { logprobs }),
  }
}

function toParts(value: unknown, state: { responseId: string; index: number; calls: number }): Part[] {
  const part = fromPart(value)
  if (part === undefined) return []
  if (part.kind === 'other') return [{ type: 'other', format: 'gemini', raw: part.raw }]
  const { signature } = part
  const signed = signature === undefined ? {} : { signature }
  const after: Part[] = signature === undefined ? [] : [{ type: 'reasoning', text: '', signature }]
  switch (part.kind) {
    case 'text':
      return part.text === '' ? after : [{ type: 'text', text: part.text }, ...after]
    case 'thought':
      return part.text === '' && signature === undefined
        ? []
        : [{ type: 'reasoning', text: part.text, ...signed }]
    case 'media':
      return [part.part, ...after]
    case 'call': {
      const id = toCallId(part.id, state.responseId, state.index, state.calls++)
      return [{ type: 'tool-call', id, name: part.name, arguments: part.arguments, ...signed }]
    }
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function noReply(message: string): GatewayError {
  return new GatewayError('upstream_error', { message })
}
