/** What decoding one stream of chunks has to remember. */

/** One tool call while it is being written. */
export interface CallState {
  /** The provider's own index; absent where it sends none. */
  readonly wireIndex: number | undefined
  /** The provider's id; `''` until it sends one. */
  id: string
  /** Whether `tool-call-start` was given: it needs the name, which may come after the id. */
  isStarted: boolean
  /** Arguments that came before the name. */
  held: string
}

export interface ChoiceState {
  readonly calls: CallState[]
  /** A thought is open, in what form its text comes, and what has to be handed back with it. */
  isThinking: boolean
  hasThoughtText: boolean
  /** The provider's number of the open thought, where it counts them. */
  thoughtNumber: number | undefined
  proof: { signature?: string; encrypted?: string; id?: string }
  isFinished: boolean
  hasOutput: boolean
}

export interface StreamState {
  isStarted: boolean
  /** After an error or the end nothing more is read. */
  isClosed: boolean
  replyId: string
  readonly choices: Map<number, ChoiceState>
  /** Extra fields that were passed on: Perplexity repeats its sources in every chunk. */
  readonly extrasGiven: Set<string>
}

/** OpenAI allows 128 answers and 128 tools; a stream that exceeds this is no stream of a sane provider. */
export const CHOICES_MAX = 128
export const CALLS_MAX = 1024

export function newStreamState(): StreamState {
  return { isStarted: false, isClosed: false, replyId: '', choices: new Map(), extrasGiven: new Set() }
}

/** @returns the state of a choice, made where it is new; `undefined` beyond the bound */
export function choiceState(state: StreamState, index: number): ChoiceState | undefined {
  let choice = state.choices.get(index)
  if (choice === undefined && state.choices.size < CHOICES_MAX) {
    choice = {
      calls: [],
      isThinking: false,
      hasThoughtText: false,
      thoughtNumber: undefined,
      proof: {},
      isFinished: false,
      hasOutput: false,
    }
    state.choices.set(index, choice)
  }
  return choice
}
