import { type Fields, isFields } from './read-fields.ts'

/**
 * @returns the arguments of a call as the object this format demands; what is no JSON object (a model that was cut
 *   off, say) comes back whole under `arguments`, so that nothing of it is lost
 */
export function toToolInput(text: string): Fields {
  if (text.trim() === '') return {}
  const parsed = parseJson(text)
  return isFields(parsed) ? parsed : { arguments: parsed ?? text }
}

/** Whether the text is one whole JSON value, so that nothing but white space can follow it. */
export function isCompleteJson(text: string): boolean {
  return parseJson(text) !== undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
