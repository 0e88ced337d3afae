/** What a wire format hands back for one call, before any fault is worked into it. */

/** What the provider charges for. */
export interface Bill {
  readonly inputTokens: number
  /** Thoughts included. */
  readonly outputTokens: number
}

export const FREE: Bill = { inputTokens: 0, outputTokens: 0 }

/** One event of a stream, with everything that frames it. */
export interface Frame {
  readonly text: string
  /** Tokens of output that this event carries. */
  readonly tokens: number
}

export interface BodyReply {
  readonly kind: 'body'
  readonly status: number
  readonly contentType: string
  readonly body: string | Buffer
  readonly bill: Bill
}

export interface StreamReply {
  readonly kind: 'stream'
  readonly contentType: string
  /** Made one by one as they leave, so that a stream nobody reads costs nothing. */
  readonly frames: Iterable<Frame>
  readonly bill: Bill
  /** Written instead of the rest where a stream has to break with an error of its format. */
  readonly errorFrame: string
}

export type SimulatedReply = BodyReply | StreamReply

/** @returns a reply of status 200 with a JSON body */
export function jsonReply(body: unknown, bill: Bill = FREE): BodyReply {
  return { kind: 'body', status: 200, contentType: 'application/json', body: JSON.stringify(body), bill }
}
