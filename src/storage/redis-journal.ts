import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Journal, LedgerRow } from '../ledger/ports.ts'
import { createJournalBuffer, type JournalEntry } from './journal-buffer.ts'
import { createDrainWaiters, journalClosed } from './journal-ends.ts'
import { decodeRow, encodeRow } from './journal-row.ts'
import { type Confirmed, createRedisAppender, type RedisWire } from './redis-journal-appender.ts'
import { createRetainedRows } from './redis-journal-retained.ts'
import { ACKNOWLEDGE, CONFIRM, READ, SET_ASIDE, TIDY } from './redis-journal-scripts.ts'
import { type RedisClient, type RedisScript, runScript } from './redis-script.ts'
import type { StorageLogger } from './storage-logger.ts'

export interface RedisJournalOptions {
  /** Its commands have to end in a bounded time, whatever Redis does. It is not closed here. */
  readonly client: RedisClient
  /** Another connection, to the same Redis, that nobody else uses. It is not closed here. */
  readonly wire: RedisWire
  readonly logger: StorageLogger
  readonly clock?: Clock
  readonly newId?: () => string
  /** Before the names of the keys: `{journal}:rows`. All replicas have the same. */
  readonly namespace?: string
  /** Of all rows in Redis; past it new calls are refused. */
  readonly bytesMax?: number
  /** Rows that another replica has had in hand for this long are taken over: it is dead, or was as good as that. */
  readonly takeoverMs?: number
  /** Own rows that are kept in memory until the ledger has them, in case Redis loses them. */
  readonly retainedRowsMax?: number
  /** Rows that Redis has not, because it is away; past it new calls are refused. */
  readonly unwrittenRowsMax?: number
  /** Called when it is closed. */
  readonly onClosed?: () => void
}

interface Read {
  readonly id: string
  readonly bytes: number
}

interface Delivery extends Read {
  readonly row: LedgerRow
}

const GROUP = 'ledger'
const BYTES_MAX = 1024 ** 3
const TAKEOVER_MS = 30_000
const RETAINED_ROWS_MAX = 20_000
const UNWRITTEN_ROWS_MAX = 10_000
/** Redis serves nobody else while it adds them. */
const COMMIT_ROWS_MAX = 500
const CONSUMER_GONE_MS = 3_600_000
/** Acknowledgements that failed; rows of those beyond are delivered again. */
const UNACKNOWLEDGED_MAX = 10_000
const ACKNOWLEDGED_MAX = 2000

/**
 * Opens the journal that all replicas share: a stream, of which each row goes to one replica. What `handedOver` has
 * confirmed is on its way to Redis and survives the process; what `appended` has confirmed is in Redis, and survives as
 * far as that keeps what it has (`appendfsync`). Should Redis come back empty or older, each replica writes what it
 * knows of again.
 */
export async function openRedisJournal(options: RedisJournalOptions): Promise<Journal> {
  const { client, wire, logger, clock = systemClock, newId = randomUUID, namespace = 'journal' } = options
  const bytesMax = options.bytesMax ?? BYTES_MAX
  const takeoverMs = options.takeoverMs ?? TAKEOVER_MS
  const unwrittenRowsMax = options.unwrittenRowsMax ?? UNWRITTEN_ROWS_MAX
  const keys = ['rows', 'facts', 'refused'].map((name) => `{${namespace}}:${name}`)
  const consumer = newId()

  /** `''` = not known yet. */
  let generation = ''
  let streamRows = 0
  let streamBytes = 0
  let oldestId = ''
  let lastNumber = 0
  /** Read and not in the ledger. */
  let held: Delivery[] = []
  /** In the ledger, and Redis does not know. */
  let unacknowledged: readonly Read[] = []
  let takeoverCursor = '0-0'
  let lastTakeoverMs = Number.NEGATIVE_INFINITY
  let draining = false
  let closed: Promise<void> | undefined
  const retained = createRetainedRows(options.retainedRowsMax ?? RETAINED_ROWS_MAX)
  const waiters = createDrainWaiters((through) => buffer.isClear(through) && retained.isClear(through))
  const buffer = createJournalBuffer({
    clock,
    write: (entries) => appender.send(toTexts(entries), entries),
    commitRowsMax: COMMIT_ROWS_MAX,
    onWritten: () => waiters.tell(),
    onError: (error, waitingRows) =>
      logger.error({ error, waitingRows }, 'the journal in Redis cannot be written, trying again'),
  })
  const appender = createRedisAppender({
    wire,
    clock,
    keys,
    args: () => [GROUP, newId(), consumer],
    confirm,
    onConfirmed(throughId, entries) {
      retained.add(throughId, entries)
      // Some may be in the ledger already.
      retained.prune(oldestId)
    },
  })

  /** @returns what follows the state in the reply */
  async function run(script: RedisScript, args: readonly string[]): Promise<string[]> {
    const reply = (await runScript(client, script, keys, args)) as (string | number)[]
    const [current, oldest, rows, bytes, ...rest] = reply.map(String)
    if (generation !== '' && current !== generation) {
      logger.error(
        { rows: retained.size },
        'Redis has lost the journal: what this process knows of it is written again',
      )
      retainNothing()
    }
    generation = current ?? ''
    streamRows = Number(rows)
    streamBytes = Math.max(0, Number(bytes))
    oldestId = oldest ?? ''
    retained.prune(oldestId)
    waiters.tell()
    return rest
  }

  /** Redis may come back without them. */
  function retainNothing(): void {
    const entries = retained.takeAll()
    if (entries.length > 0) buffer.restore(entries)
  }

  async function confirm(): Promise<Confirmed> {
    const [position = ''] = await run(CONFIRM, [GROUP, newId(), consumer])
    const [batch, throughId = ''] = position.split(' ')
    return { batch: Number(batch), throughId }
  }

  /** Takes the next rows in hand. */
  async function read(rowsMax: number): Promise<void> {
    const nowMs = clock.monotonicMs()
    const looks = nowMs - lastTakeoverMs >= takeoverMs
    const [cursor = '0-0', ...found] = await run(READ, [
      GROUP,
      newId(),
      consumer,
      String(rowsMax),
      looks ? String(takeoverMs) : '',
      takeoverCursor,
    ])
    for (let index = 0; index + 1 < found.length; index += 2) {
      const id = found[index] ?? ''
      const text = found[index + 1] ?? ''
      const bytes = Buffer.byteLength(text)
      try {
        held.push({ id, bytes, row: decodeRow(text) })
      } catch (error) {
        logger.error({ error, id }, 'a row of the journal in Redis is damaged: it is not in the ledger')
        await runScript(client, SET_ASIDE, keys, [text, 'damaged'])
        unacknowledged = [...unacknowledged, { id, bytes }]
      }
    }
    if (looks) await lookAround(cursor, nowMs)
  }

  async function lookAround(cursor: string, nowMs: number): Promise<void> {
    takeoverCursor = cursor
    if (cursor !== '0-0') return
    // At the beginning again: everything was looked at.
    lastTakeoverMs = nowMs
    await runScript(client, TIDY, keys, [GROUP, String(CONSUMER_GONE_MS)])
  }

  async function acknowledge(deliveries: readonly Delivery[]): Promise<void> {
    unacknowledged = unacknowledged.concat(deliveries).slice(-UNACKNOWLEDGED_MAX)
    retained.remove(deliveries.map(({ row }) => row.id))
    if (unacknowledged.length === 0) return
    const batch = unacknowledged.slice(0, ACKNOWLEDGED_MAX)
    try {
      await run(ACKNOWLEDGE, [GROUP, newId(), ...batch.flatMap(({ id, bytes }) => [id, String(bytes)])])
      unacknowledged = unacknowledged.slice(batch.length)
    } catch (error) {
      // They are in the ledger, which takes no row twice; Redis is told the next time.
      logger.warn({ error, rows: batch.length }, 'the journal in Redis could not be told what the ledger has')
    }
    waiters.tell()
  }

  /** @returns how many */
  async function deliverUnwritten(
    handler: (rows: readonly LedgerRow[]) => Promise<void>,
    rowsMax: number,
  ): Promise<number> {
    const entries = buffer.peek(rowsMax)
    const last = entries.at(-1)
    if (last === undefined) return 0
    await handler(entries.map(({ row }) => row))
    buffer.dropThrough(last.number)
    waiters.tell()
    return entries.length
  }

  const onLost = () => retainNothing()
  client.on('close', onLost)
  await confirm().catch((error: unknown) =>
    logger.error({ error }, 'the journal in Redis cannot be reached; rows are kept in memory until it can'),
  )

  return {
    append(row) {
      if (closed !== undefined) throw journalClosed()
      buffer.append({ number: ++lastNumber, row })
    },
    handedOver: () => buffer.handedOver(),
    appended: () => buffer.written(lastNumber),
    get hasRoom() {
      return closed === undefined && streamBytes < bytesMax && buffer.rows < unwrittenRowsMax
    },
    async drain(handler, rowsMax) {
      if (draining) throw new Error('The journal is being drained already.')
      if (closed !== undefined) throw journalClosed()
      draining = true
      try {
        if (held.length === 0) {
          try {
            if (unacknowledged.length > 0) await acknowledge([])
            await read(rowsMax)
          } catch (error) {
            // Without Redis the ledger gets the rows of this process from its memory.
            retainNothing()
            if (buffer.rows === 0) throw error
            return await deliverUnwritten(handler, rowsMax)
          }
        }
        const batch = held.slice(0, rowsMax)
        if (batch.length === 0) return buffer.failing ? await deliverUnwritten(handler, rowsMax) : 0
        await handler(batch.map(({ row }) => row))
        held = held.slice(batch.length)
        await acknowledge(batch)
        return batch.length
      } finally {
        draining = false
      }
    },
    drained: () => waiters.wait(lastNumber),
    async setAside(row: LedgerRow, reason: string) {
      await runScript(client, SET_ASIDE, keys, [encodeRow(row), reason])
    },
    isShared: true,
    get waitingRows() {
      return Math.max(streamRows, retained.size) + buffer.rows
    },
    get bytes() {
      return streamBytes
    },
    close() {
      closed ??= buffer.close().finally(() => {
        appender.close()
        client.off('close', onLost)
        options.onClosed?.()
      })
      return closed
    },
  }
}

function toTexts(entries: readonly JournalEntry[]): string[] {
  return entries.map(({ row }) => encodeRow(row))
}
