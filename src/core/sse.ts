/**
 * Server-sent events as bytes: cutting a stream into frames without copying or decoding what is only forwarded.
 * Rules: WHATWG HTML, section 9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 */

/** One event of a stream, or a comment between two. */
export interface SseFrame {
  /** The bytes as they came, with the blank line that ends them. */
  readonly raw: Uint8Array
  /** Value of the `event` field, or `''`. */
  readonly event: string
  /** The `data` fields joined by line feeds; `undefined` where the frame has none (a comment, a bare id). */
  readonly data: string | undefined
}

const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
const BYTE_ORDER_MARK = 0xfeff
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Largest event we hold: a whole image in base64 fits; what is larger is no event but a fault or an attack. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024

/**
 * Cuts a byte stream into frames wherever the network cut it.
 *
 * `push` returns the frames completed by a chunk. `flush` returns what an upstream left without its closing
 * blank line. A frame over `frameBytesMax` throws `RangeError`: a bound, because we hold it in memory.
 *
 * A frame that lies in one chunk is a view of that chunk. One that spans chunks is copied into a store that
 * doubles, so that a frame in many small pieces costs time in proportion to its length.
 */
export class SseFramer {
  /** The begun frame; a view of the last chunk, or of `store`. */
  private rest: Uint8Array | undefined
  /** Room behind `rest` for the chunks to come; bytes before its end are never written again. */
  private store: Uint8Array | undefined
  private begun = false
  private readonly frameBytesMax: number

  constructor(frameBytesMax = FRAME_BYTES_MAX) {
    this.frameBytesMax = frameBytesMax
  }

  push(chunk: Uint8Array): SseFrame[] {
    // A line end may itself be cut, so look again at the last three bytes already seen.
    let position = this.rest === undefined ? 0 : Math.max(0, this.rest.length - 3)
    const buffer = this.rest === undefined ? chunk : this.append(this.rest, chunk)
    let start = 0
    const frames: SseFrame[] = []
    for (;;) {
      const end = frameEnd(buffer, position)
      if (end < 0) break
      this.assertFits(end - start)
      frames.push(this.toFrame(buffer.subarray(start, end)))
      start = end
      position = end
    }
    this.assertFits(buffer.length - start)
    if (start === buffer.length) {
      this.rest = undefined
      this.store = undefined
    } else {
      this.rest = start === 0 ? buffer : buffer.subarray(start)
    }
    return frames
  }

  flush(): SseFrame[] {
    const rest = this.rest
    this.rest = undefined
    this.store = undefined
    return rest === undefined || isBlank(rest) ? [] : [this.toFrame(rest)]
  }

  /** @returns `rest` and `chunk` in a row, in place where the store has room */
  private append(rest: Uint8Array, chunk: Uint8Array): Uint8Array {
    const length = rest.length + chunk.length
    const store = this.store
    if (store !== undefined && rest.buffer === store.buffer) {
      const offset = rest.byteOffset - store.byteOffset
      if (offset + length <= store.length) {
        store.set(chunk, offset + rest.length)
        return store.subarray(offset, offset + length)
      }
    }
    // The first copy is exact, since most cut frames end in the next chunk; room is made from the second on.
    const grown = new Uint8Array(store === undefined ? length : length * 2)
    grown.set(rest)
    grown.set(chunk, rest.length)
    this.store = grown
    return grown.length === length ? grown : grown.subarray(0, length)
  }

  private assertFits(frameBytes: number): void {
    if (frameBytes > this.frameBytesMax)
      throw new RangeError(`An event of the stream exceeds ${this.frameBytesMax} bytes.`)
  }

  private toFrame(raw: Uint8Array): SseFrame {
    const text = decoder.decode(raw)
    if (this.begun) return toFrame(raw, text)
    // One byte order mark may open a stream (section 9.2.6); anywhere else it is part of the text.
    this.begun = true
    return toFrame(raw, text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text)
  }
}

/** Index after the blank line that ends a frame, or -1. A line ends in LF, CR or CR LF. */
function frameEnd(bytes: Uint8Array, from: number): number {
  const length = bytes.length
  for (let i = from; i < length; i++) {
    const byte = bytes[i]
    if (byte !== LF && byte !== CR) continue
    const next = bytes[i + 1]
    if (byte === LF) {
      if (next === LF) return i + 2
      if (next === CR) {
        // LF CR: the blank line may end in CR or in CR LF; wait for one more byte to know.
        if (i + 2 >= length) return -1
        return bytes[i + 2] === LF ? i + 3 : i + 2
      }
      continue
    }
    if (next === CR) {
      // CR CR: two old-style line ends, the second perhaps part of CR LF.
      if (i + 2 >= length) return -1
      return bytes[i + 2] === LF ? i + 3 : i + 2
    }
    // CR LF: the LF branch of the next turn sees what follows.
  }
  return -1
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === LF || byte === CR)
}

function toFrame(raw: Uint8Array, text: string): SseFrame {
  // Nearly every frame of every provider is one `data: {…}` line.
  if (text.startsWith('data: ')) {
    const end = text.indexOf('\n')
    if (end > 0 && end === text.length - 2 && text.charCodeAt(end - 1) !== CR && text.indexOf('\r') < 0) {
      return { raw, event: '', data: text.slice(6, end) }
    }
  }
  let event = ''
  let data: string | undefined
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line === '' || line.charCodeAt(0) === COLON) continue
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    let value = colon < 0 ? '' : line.slice(colon + 1)
    if (value.charCodeAt(0) === SPACE) value = value.slice(1)
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`
    else if (field === 'event') event = value
  }
  return { raw, event, data }
}
