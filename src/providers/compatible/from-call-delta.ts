import type { StreamEvent } from '../../contract/chat.ts'
import { type Fields, isObject } from '../../contract/formats/chat/fields.ts'
import { thoughtSignature } from '../../contract/formats/chat/parse-messages.ts'
import { argumentsText, madeCallId } from './from-content.ts'
import { CALLS_MAX, type CallState, type ChoiceState } from './stream-state.ts'

/**
 * One piece of a tool call, as any of the compatible providers cuts it: with or without index, the id once or in
 * every piece, the whole call in one piece, several calls under one index.
 *
 * @returns the events; `undefined` when there are more calls than any sane stream has
 */
export function fromCallDelta(
  choice: ChoiceState,
  choiceIndex: number,
  delta: Fields,
  replyId: string,
): StreamEvent[] | undefined {
  const called = isObject(delta.function) ? delta.function : {}
  const id = typeof delta.id === 'string' ? delta.id : ''
  const name = typeof called.name === 'string' ? called.name : ''
  const wireIndex = typeof delta.index === 'number' ? delta.index : undefined
  const call = findCall(choice, wireIndex, id, name) ?? addCall(choice, wireIndex)
  if (call === undefined) return undefined
  if (call.id === '') call.id = id
  const index = choice.calls.indexOf(call)
  const events: StreamEvent[] = []
  const text = argumentsText(called.arguments)
  if (!call.isStarted) {
    call.held += text
    if (name === '') return events
    call.isStarted = true
    if (call.id === '') call.id = madeCallId(replyId, choiceIndex, index)
    const signature = thoughtSignature(delta)
    events.push({
      type: 'tool-call-start',
      choice: choiceIndex,
      index,
      id: call.id,
      name,
      ...(signature === undefined ? {} : { signature }),
    })
    if (call.held !== '') {
      events.push({ type: 'tool-call-delta', choice: choiceIndex, index, arguments: call.held })
      call.held = ''
    }
  } else if (text !== '') {
    events.push({ type: 'tool-call-delta', choice: choiceIndex, index, arguments: text })
  }
  return events
}

/** @returns the call that a piece belongs to; `undefined` when it begins a new one */
function findCall(
  choice: ChoiceState,
  wireIndex: number | undefined,
  id: string,
  name: string,
): CallState | undefined {
  if (wireIndex !== undefined) {
    const known = choice.calls.findLast((call) => call.wireIndex === wireIndex)
    // Google's compatible endpoint gives index 0 to every one of its parallel calls: another id is another call.
    const isAnother = known?.isStarted === true && id !== '' && known.id !== id && name !== ''
    return isAnother ? undefined : known
  }
  if (id !== '') return choice.calls.find((call) => call.id === id)
  // Neither index nor id: a name begins a call, anything else goes on with the last.
  const last = choice.calls.at(-1)
  return name !== '' && last?.isStarted === true ? undefined : last
}

function addCall(choice: ChoiceState, wireIndex: number | undefined): CallState | undefined {
  if (choice.calls.length >= CALLS_MAX) return undefined
  const call: CallState = { wireIndex, id: '', isStarted: false, held: '' }
  choice.calls.push(call)
  return call
}
