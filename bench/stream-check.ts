import { CLOSING, isSameFrame, OPENING, type Piece, readAlteredFrame, readPieceFrame } from './payloads.ts'

const FRAME_END = Buffer.from('\n\n')
const OPENING_BYTES = Buffer.from(OPENING)
const CLOSING_BYTES = CLOSING.map((frame) => Buffer.from(frame))
/** Far more than any frame here has; a reply without frame ends must not fill the memory. */
const REST_BYTES_MAX = 64 * 1024

/** Reads one streamed reply and holds it against what the upstream sends: every frame, in order, to the end. */
export class StreamCheck {
  private readonly pieces: number
  private readonly onPiece: (piece: Piece) => void
  private rest: Buffer | undefined
  private opened = false
  private sequence = 0
  private closing = 0
  /** Every frame so far has exactly the bytes of the upstream. */
  byteClean = true
  problem: string | undefined

  constructor(pieces: number, onPiece: (piece: Piece) => void) {
    this.pieces = pieces
    this.onPiece = onPiece
  }

  push(chunk: Buffer): void {
    const bytes = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk])
    let start = 0
    for (;;) {
      const end = bytes.indexOf(FRAME_END, start)
      if (end < 0) break
      this.read(bytes.subarray(start, end + FRAME_END.length))
      start = end + FRAME_END.length
    }
    this.rest = start === bytes.length ? undefined : Buffer.from(bytes.subarray(start))
    if (this.rest !== undefined && this.rest.length > REST_BYTES_MAX) {
      this.problem ??= 'a frame without an end'
      this.rest = undefined
    }
  }

  /** @returns whether nothing is missing; to be asked when the reply has ended */
  isComplete(): boolean {
    if (this.rest !== undefined) this.problem ??= 'bytes after the last frame'
    if (this.closing < CLOSING.length) this.problem ??= `ended after ${this.sequence} pieces`
    return this.problem === undefined
  }

  private read(frame: Buffer): void {
    if (!this.opened) {
      this.opened = true
      this.expect(frame, OPENING_BYTES, OPENING)
    } else if (this.sequence < this.pieces) {
      this.readPiece(frame)
    } else {
      const index = this.closing++
      this.expect(frame, CLOSING_BYTES[index], CLOSING[index])
    }
  }

  private readPiece(frame: Buffer): void {
    let piece = readPieceFrame(frame)
    if (piece === undefined) {
      this.byteClean = false
      piece = readAlteredFrame(frame)
    }
    if (piece?.sequence !== this.sequence) {
      this.problem ??= `instead of piece ${this.sequence}: ${frame.toString('utf8', 0, 300)}`
      return
    }
    this.sequence++
    this.onPiece(piece)
  }

  private expect(frame: Buffer, bytes: Buffer | undefined, text: string | undefined): void {
    if (bytes?.equals(frame)) return
    this.byteClean = false
    if (text === undefined || !isSameFrame(frame, text)) {
      this.problem ??= `not expected: ${frame.toString('utf8', 0, 300)}`
    }
  }
}
