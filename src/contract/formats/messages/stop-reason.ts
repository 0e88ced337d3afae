import type { FinishReason } from '../../chat.ts'

/** How a turn ended, in neutral words. */
export interface Finish {
  readonly reason: FinishReason
  readonly rawReason?: string
  readonly stopSequence?: string
}

const FROM_WIRE: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool-calls',
  pause_turn: 'pause',
  refusal: 'refusal',
}

/** Words whose neutral translation says less than they do: kept beside it. */
const RAW_KEPT = new Set(['model_context_window_exceeded'])

/** @param stopSequence the API's `stop_sequence`, a string only where one was hit */
export function fromStopReason(wire: unknown, stopSequence: unknown): Finish {
  const word = typeof wire === 'string' ? wire : ''
  const reason = FROM_WIRE[word]
  return {
    reason: reason ?? 'other',
    ...(reason === undefined || RAW_KEPT.has(word) ? { rawReason: word } : {}),
    ...(typeof stopSequence === 'string' ? { stopSequence } : {}),
  }
}

/**
 * @param calledTools clients run tools only after `tool_use`, and some providers say `stop` beside a call
 * @returns `stop_reason` in this API's words
 */
export function toStopReason(finish: Finish, calledTools: boolean): string {
  switch (finish.reason) {
    case 'stop':
      if (calledTools) return 'tool_use'
      return finish.stopSequence === undefined ? 'end_turn' : 'stop_sequence'
    case 'length':
      return finish.rawReason === 'model_context_window_exceeded' ? finish.rawReason : 'max_tokens'
    case 'tool-calls':
      return 'tool_use'
    case 'pause':
      return 'pause_turn'
    case 'content-filter':
    case 'refusal':
      return 'refusal'
    case 'other':
      return calledTools ? 'tool_use' : 'end_turn'
  }
}
