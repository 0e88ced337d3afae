/**
 * Ids for calls that Gemini sends without one: the same for the same reply, so that a stored reply and its stream
 * agree, and different from reply to reply. Only letters that every format allows in an id.
 */
export function toCallId(given: unknown, responseId: string, choice: number, index: number): string {
  if (typeof given === 'string' && given !== '') return given
  const reply = responseId.replace(/[^\w-]/g, '_').slice(0, 40)
  return reply === '' ? `call_${choice}_${index}` : `call_${reply}_${choice}_${index}`
}
