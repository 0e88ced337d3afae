import type { Incoming } from '../../pipeline/exchange.ts'
import { fieldsOf, partsOf, turnsOf } from './call-fields.ts'

/** What is read of a long turn: instructions stand at its beginning or at its end. */
const BEGINNING_LENGTH = 1536
const END_LENGTH = 512
const PARTS_MAX = 16

/** @returns what the caller wrote last, its beginning and its end where it is long; `''` where there is none */
export function lastUserText(incoming: Incoming): string {
  const { operation, format, json } = incoming
  if (json === undefined) return operation === 'chat' ? ofTurns(incoming.chat().messages) : ''
  if (operation === 'completion') return shortened(firstText(json.prompt))
  if (format === 'responses' && typeof json.input === 'string') return shortened(json.input)
  return ofTurns(turnsOf(incoming))
}

/** @returns how many turns a conversation has had, system text left out */
export function turnCount(incoming: Incoming): number {
  const { json, operation } = incoming
  if (json === undefined) return operation === 'chat' ? incoming.chat().messages.length : 1
  return Math.max(1, turnsOf(incoming).length)
}

/** @returns the beginning of the system text, which providers keep in their prompt caches; `''` where there is none */
export function systemBeginning(incoming: Incoming, lengthMax: number): string {
  const { format, json, operation } = incoming
  if (operation !== 'chat') return ''
  if (json === undefined) return ofSystemTurn(incoming.chat().messages[0], lengthMax)
  if (format === 'messages') return textOf(json.system, lengthMax)
  if (format === 'responses' && typeof json.instructions === 'string')
    return json.instructions.slice(0, lengthMax)
  if (format === 'gemini')
    return textOf(fieldsOf(json.systemInstruction ?? json.system_instruction).parts, lengthMax)
  return ofSystemTurn(turnsOf(incoming)[0], lengthMax)
}

function ofSystemTurn(turn: unknown, lengthMax: number): string {
  const { role, content } = fieldsOf(turn)
  return role === 'system' || role === 'developer' ? textOf(content, lengthMax) : ''
}

/** Of the last turn of the user that has text: results of tools stand in turns of the user in some formats. */
function ofTurns(turns: readonly unknown[]): string {
  for (let index = turns.length - 1; index >= 0; index--) {
    const turn = fieldsOf(turns[index])
    if (turn.role !== 'user' && turn.role !== undefined) continue
    const text = typeof turn.content === 'string' ? turn.content : joined(partsOf(turn))
    if (text !== '') return shortened(text)
  }
  return ''
}

function textOf(content: unknown, lengthMax: number): string {
  if (typeof content === 'string') return content.slice(0, lengthMax)
  return Array.isArray(content) ? joined(content).slice(0, lengthMax) : ''
}

function joined(parts: readonly unknown[]): string {
  let text = ''
  for (const part of parts.slice(0, PARTS_MAX)) {
    const own = typeof part === 'string' ? part : fieldsOf(part).text
    if (typeof own === 'string') text += text === '' ? own : `\n${own}`
  }
  return text
}

function firstText(prompt: unknown): string {
  const text: unknown = Array.isArray(prompt) ? prompt[0] : prompt
  return typeof text === 'string' ? text : ''
}

function shortened(text: string): string {
  if (text.length <= BEGINNING_LENGTH + END_LENGTH) return text
  return `${text.slice(0, BEGINNING_LENGTH)}\n${text.slice(-END_LENGTH)}`
}
