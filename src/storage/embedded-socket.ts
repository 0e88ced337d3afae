import { Duplex } from 'node:stream'

/** The other end of an `EmbeddedSocket`. */
export interface EmbeddedPeer {
  /** Called once; `socket.accept()` answers. */
  connect(socket: EmbeddedSocket): void
  /** Begins a fresh session, whose welcome comes as data. */
  start(socket: EmbeddedSocket): void
  send(socket: EmbeddedSocket, bytes: Uint8Array): void
  disconnect(socket: EmbeddedSocket): void
}

const QUERY = 0x51
const SYNC = 0x53
const FLUSH = 0x48
const TERMINATE = 0x58

/**
 * What `pg` takes for a TCP socket, with a worker thread at its other end. It gathers frontend messages until one
 * asks for an answer, because the worker runs each delivery to its end before it takes the next.
 */
export class EmbeddedSocket extends Duplex {
  private readonly peer: EmbeddedPeer
  private started = false
  private gathered: Buffer[] = []

  constructor(peer: EmbeddedPeer) {
    super({ allowHalfOpen: false })
    this.peer = peer
  }

  // The part of net.Socket that pg's Connection calls.
  connect(): this {
    this.peer.connect(this)
    return this
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.deliver([chunk])
    callback()
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    this.deliver(chunks.map(({ chunk }) => chunk))
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.peer.disconnect(this)
    callback(error)
  }

  /** The worker is there; pg may begin. */
  accept(): void {
    this.emit('connect')
  }

  private deliver(chunks: readonly Buffer[]): void {
    this.gathered.push(...chunks)
    if (!this.started) {
      // The startup packet has no type byte and nothing that PGlite needs: the welcome comes by itself.
      this.started = true
      this.gathered = []
      this.peer.start(this)
      return
    }
    // Memory of its own: a pooled buffer would travel with all that it shares memory with.
    const bytes = Buffer.allocUnsafeSlow(this.gathered.reduce((sum, chunk) => sum + chunk.length, 0))
    let position = 0
    for (const chunk of this.gathered) position += chunk.copy(bytes, position)
    const last = lastMessageType(bytes)
    if (last === TERMINATE) {
      this.gathered = []
      this.push(null)
      this.destroy()
    } else if (last === QUERY || last === SYNC || last === FLUSH) {
      this.gathered = []
      this.peer.send(this, bytes)
    } else {
      this.gathered = [bytes]
    }
  }
}

/** @returns the type byte of the last message, or `undefined` where the bytes end inside of one */
function lastMessageType(bytes: Buffer): number | undefined {
  let position = 0
  let type: number | undefined
  while (position < bytes.length) {
    if (position + 5 > bytes.length) return undefined
    type = bytes[position]
    position += 1 + bytes.readUInt32BE(position + 1)
  }
  return position === bytes.length ? type : undefined
}
