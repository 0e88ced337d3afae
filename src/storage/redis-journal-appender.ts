import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { JournalEntry, Write } from './journal-buffer.ts'
import { APPEND } from './redis-journal-scripts.ts'

/** What we need of a connection that is written to and not listened to. */
export interface RedisWire {
  /** `ready` = what is written is read at once. */
  readonly status: string
  readonly stream: {
    write(text: string, onFlushed: () => void): unknown
    /** Bytes that the system has not taken yet. */
    readonly writableLength: number
  }
  on(event: 'ready' | 'close', listener: () => void): unknown
  off(event: 'ready' | 'close', listener: () => void): unknown
  disconnect(reconnect: boolean): void
}

export interface RedisAppenderOptions {
  readonly wire: RedisWire
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly keys: readonly string[]
  /** Ends with the number of the batch and the texts of its rows. */
  readonly args: () => readonly string[]
  /** Asks Redis for the last batch that it has executed. */
  readonly confirm: () => Promise<Confirmed>
  /** Called when Redis has entries. */
  readonly onConfirmed: (throughId: string, entries: readonly JournalEntry[]) => void
}

export interface Confirmed {
  /** 0 = none of ours. */
  readonly batch: number
  /** Of the last row of the batch, in the stream. */
  readonly throughId: string
}

/**
 * Hands rows to the socket without listening for answers.
 *
 * A process that is killed while an answer lies unread in its socket ends the connection by a reset (RFC 1122, section
 * 4.2.2.13), and then the other side may lose what it was sent before. A connection that is never answered ends in
 * order: Redis reads all of it. What became of the rows is asked on another connection, and nobody waits for that.
 */
export interface RedisAppender {
  /** @throws GatewayError `storage_unavailable` where there is no connection */
  send(texts: readonly string[], entries: readonly JournalEntry[]): Write
  close(): void
}

interface Sent {
  readonly batch: number
  readonly sentMs: number
  readonly entries: readonly JournalEntry[]
  readonly durable: ReturnType<typeof Promise.withResolvers<void>>
}

/** Between a batch and the question what became of it: one question for all batches of that time. */
const CONFIRM_GAP_MS = 5
const CONFIRM_AGAIN_MS = 100
/** By then it was lost on its way, or refused. */
const CONFIRM_MAX_MS = 2000

const NO_REPLY = toCommand(['CLIENT', 'REPLY', 'SKIP'])

export function createRedisAppender(options: RedisAppenderOptions): RedisAppender {
  const { wire, clock, keys, args, confirm } = options
  let lastBatch = 0
  let sent: Sent[] = []
  /** This connection's server knows the script. */
  let isKnown = false
  let timer: NodeJS.Timeout | undefined
  let isAsking = false
  let closed = false

  function onConnection(): void {
    isKnown = false
    giveUp('The connection was lost.')
  }
  wire.on('close', onConnection)

  function schedule(delayMs: number): void {
    if (timer === undefined && !isAsking && !closed) timer = setTimeout(() => void ask(), delayMs)
  }

  async function ask(): Promise<void> {
    timer = undefined
    isAsking = true
    let isAnswered = false
    try {
      const { batch, throughId } = await confirm()
      const done = sent.filter((one) => one.batch <= batch)
      sent = sent.filter((one) => one.batch > batch)
      if (done.length > 0)
        options.onConfirmed(
          throughId,
          done.flatMap(({ entries }) => entries),
        )
      for (const { durable } of done) durable.resolve()
      isAnswered = true
    } catch {
      // Whoever needs Redis for more hears of that. What was sent may be on its way nevertheless.
    }
    isAsking = false
    const [oldest] = sent
    if (oldest === undefined) return
    const isLost = isAnswered && clock.monotonicMs() - oldest.sentMs > CONFIRM_MAX_MS
    if (!isLost) schedule(isAnswered ? CONFIRM_GAP_MS : CONFIRM_AGAIN_MS)
    else {
      giveUp(`Redis did not confirm rows within ${CONFIRM_MAX_MS} ms.`)
      wire.disconnect(true)
    }
  }

  /** What is not confirmed has to be sent again. */
  function giveUp(reason: string): void {
    const given = sent
    sent = []
    for (const { durable } of given) durable.reject(unsent(reason))
  }

  return {
    send(texts, entries) {
      if (wire.status !== 'ready') throw unsent('Redis is not connected.')
      const batch = ++lastBatch
      let text = ''
      if (!isKnown) text += NO_REPLY + toCommand(['SCRIPT', 'LOAD', APPEND.lua])
      isKnown = true
      const words = ['EVALSHA', APPEND.sha, String(keys.length), ...keys, ...args(), String(batch), ...texts]
      text += NO_REPLY + toCommand(words)
      const flushed = Promise.withResolvers<void>()
      wire.stream.write(text, flushed.resolve)
      const durable = Promise.withResolvers<void>()
      sent.push({ batch, sentMs: clock.monotonicMs(), entries, durable })
      schedule(CONFIRM_GAP_MS)
      // A socket hands a write to the system at once, unless that has no room or the bytes are to be encrypted.
      const isOut = wire.stream.writableLength === 0
      return { handedOver: isOut ? undefined : flushed.promise, durable: durable.promise }
    },
    close() {
      closed = true
      clearTimeout(timer)
      wire.off('close', onConnection)
      giveUp('The journal is closed.')
    },
  }
}

/** @returns a command in Redis's own protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/) */
function toCommand(words: readonly string[]): string {
  let text = `*${words.length}\r\n`
  for (const word of words) text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`
  return text
}

function unsent(reason: string): GatewayError {
  return new GatewayError('storage_unavailable', {
    message: 'The journal in Redis cannot be written at the moment.',
    detail: { store: 'redis', reason },
    retryAfterSeconds: 1,
  })
}
