import type { Incoming } from '../../pipeline/exchange.ts'

/** The parsed body of a request, of which nothing is known but that it is JSON. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the object in a field; an empty one where there is none */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : NO_FIELDS
}

const NO_FIELDS: Fields = Object.freeze({})

/** @returns the turns of a conversation as its format has them; empty where there are none, or one text alone */
export function turnsOf({ format, json }: Incoming): readonly unknown[] {
  const turns = format === 'responses' ? json?.input : format === 'gemini' ? json?.contents : json?.messages
  return Array.isArray(turns) ? turns : []
}

/** @returns the parts of one turn; empty where it is one text */
export function partsOf(turn: unknown): readonly unknown[] {
  const { content, parts } = fieldsOf(turn)
  const list = content ?? parts
  return Array.isArray(list) ? list : []
}

/** @returns the settings of a Gemini request, in either spelling of its clients */
export function generationConfigOf(json: Fields): Fields {
  return fieldsOf(json.generationConfig ?? json.generation_config)
}

/** @returns a count that can be meant */
export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
}
