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
const decoder = new TextDecoder()

/**
 * Cuts a byte stream into frames wherever the network cut it.
 *
 * `push` returns the frames completed by a chunk. `flush` returns what an upstream left without its closing
 * blank line. A frame over `frameBytesMax` throws `RangeError`: a bound, because we hold it in memory.
 */
export class SseFramer {
  private rest: Uint8Array | undefined
  private scanned = 0
  private readonly frameBytesMax: number

  constructor(frameBytesMax = 32 * 1024 * 1024) {
    this.frameBytesMax = frameBytesMax
  }

  push(chunk: Uint8Array): SseFrame[] {
    const buffer = this.rest === undefined ? chunk : concat(this.rest, chunk)
    // A line end may itself be cut, so look again at the last three bytes already seen.
    let position = Math.max(0, this.scanned - 3)
    let start = 0
    const frames: SseFrame[] = []
    for (;;) {
      const end = frameEnd(buffer, position)
      if (end < 0) break
      frames.push(toFrame(buffer.subarray(start, end)))
      start = end
      position = end
    }
    const left = buffer.length - start
    if (left > this.frameBytesMax)
      throw new RangeError(`An event of the stream exceeds ${this.frameBytesMax} bytes.`)
    this.rest = left === 0 ? undefined : buffer.subarray(start)
    this.scanned = left
    return frames
  }

  flush(): SseFrame[] {
    const rest = this.rest
    this.rest = undefined
    this.scanned = 0
    return rest === undefined || isBlank(rest) ? [] : [toFrame(rest)]
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

function toFrame(raw: Uint8Array): SseFrame {
  const text = decoder.decode(raw)
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
    if (line === '' || line.charCodeAt(0) === 58) continue
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    let value = colon < 0 ? '' : line.slice(colon + 1)
    if (value.charCodeAt(0) === 32) value = value.slice(1)
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`
    else if (field === 'event') event = value
  }
  return { raw, event, data }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
