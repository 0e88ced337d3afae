/** What the parent process asks of the upstream and the load generator, and what they answer. */

/** Where calls go, and how this candidate wants to be addressed. */
export interface Target {
  readonly origin: string
  readonly headers: Readonly<Record<string, string>>
}

/** How the upstream paces a stream. */
export interface Pace {
  /** From the request to the first piece. */
  readonly firstPieceMs: number
  readonly gapMs: number
  readonly pieces: number
}

export type UpstreamOrder = { readonly kind: 'pace'; readonly pace: Pace } | { readonly kind: 'counts' }

/** Calls that the upstream has answered so far. */
export interface UpstreamCounts {
  readonly json: number
  readonly streams: number
}

export type GeneratorOrder =
  | {
      readonly kind: 'closed'
      readonly target: Target
      readonly connections: number
      readonly durationMs: number
      /** Ends the load earlier: for the warm-up. */
      readonly callsMax?: number
    }
  | {
      readonly kind: 'paced'
      readonly target: Target
      readonly callsPerSecond: number
      readonly durationMs: number
    }
  | {
      readonly kind: 'streams'
      readonly target: Target
      readonly parallel: number
      readonly windowMs: number
      readonly pace: Pace
    }

export interface LoadResult {
  /** Answered in full with status 200. */
  readonly calls: number
  readonly errors: number
  readonly firstError: string | null
  readonly elapsedMs: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface StreamResult {
  /** Begun in all, the start and the end of the measurement included. */
  readonly streams: number
  /** Every frame there, in order, then the end of the reply. */
  readonly complete: number
  /** Of the complete ones: those whose bytes are exactly the upstream's. */
  readonly byteClean: number
  readonly firstProblem: string | null
  readonly peakParallel: number
  readonly pieces: number
  /** On the way there and back: from the caller's request to its first piece, less the upstream's own part. */
  readonly firstPieceP50Ms: number
  readonly firstPieceP99Ms: number
  /** From the upstream's write of a piece to the caller's read. */
  readonly pieceP50Ms: number
  readonly pieceP99Ms: number
  /** How much longer the gap between two pieces was at the caller than at the upstream. */
  readonly gapP50Ms: number
  readonly gapP99Ms: number
}

/** How long a stream of this pace takes at the upstream. */
export function streamMs({ firstPieceMs, gapMs, pieces }: Pace): number {
  return firstPieceMs + gapMs * pieces
}
