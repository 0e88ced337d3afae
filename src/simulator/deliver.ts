import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import type { Faults } from './faults.ts'
import { Line } from './line.ts'
import type { Random } from './random.ts'
import type { BodyReply, SimulatedReply, StreamReply } from './reply.ts'
import type { CallMeter } from './stats.ts'
import type { Timers } from './timers.ts'

/** What one reply is delivered with. */
export interface Delivery {
  readonly response: ServerResponse
  readonly meter: CallMeter
  readonly faults: Faults
  /** Beside content type and length. */
  readonly headers: Readonly<Record<string, string>>
  readonly timers: Timers
  readonly clock: Clock
  readonly random: Random
}

/** Text that leaves in one write when nothing has to be timed. */
const WRITE_BYTES = 16 * 1024

/** Sends a reply as fast as it can be taken. */
export function deliverNow(reply: SimulatedReply, delivery: Delivery): void {
  const { response, meter } = delivery
  meter.answered(reply.kind === 'body' ? reply.status : 200)
  if (reply.kind === 'stream') {
    meter.chargeInput(reply.bill.inputTokens)
    writeStreamHead(reply, delivery)
    pump(reply.frames[Symbol.iterator](), delivery)
    return
  }
  meter.charge(reply.bill)
  writeBodyHead(reply, delivery)
  response.end(reply.body)
  meter.end(false, false)
}

/** Writes until the client cannot take more, and goes on when it can. */
function pump(frames: Iterator<{ text: string; tokens: number }>, { response, meter }: Delivery): void {
  response.once('close', () => meter.end(true, !response.writableFinished))
  const more = () => {
    let text = ''
    let tokens = 0
    while (!response.destroyed) {
      const next = frames.next()
      if (next.done) {
        meter.chargeOutput(tokens)
        response.end(text)
        // Counted before the client can know that the stream has ended.
        meter.end(true, false)
        return
      }
      text += next.value.text
      tokens += next.value.tokens
      if (text.length < WRITE_BYTES) continue
      meter.chargeOutput(tokens)
      const hasRoom = response.write(text)
      text = ''
      tokens = 0
      if (!hasRoom) {
        response.once('drain', more)
        return
      }
    }
  }
  more()
}

/** Sends a reply with everything that was asked to be wrong with it. */
export async function deliverFaulty(reply: SimulatedReply, delivery: Delivery): Promise<void> {
  const { response, meter, faults, timers } = delivery
  const line = new Line(response, timers)
  if (faults.reset) {
    meter.answered(0)
    meter.end(false, false)
    response.socket?.resetAndDestroy()
    return
  }
  if (faults.hang) {
    await line.untilClosed()
    meter.answered(0)
    meter.end(false, true)
    return
  }
  meter.chargeInput(reply.bill.inputTokens)
  await line.wait((faults.latency ?? 0) + (faults.jitter ?? 0) * delivery.random())
  if (line.closed) {
    meter.end(reply.kind === 'stream', true)
    return
  }
  meter.answered(reply.kind === 'body' ? reply.status : 200)
  const whole =
    reply.kind === 'stream' ? await sendStream(reply, line, delivery) : await sendBody(reply, line, delivery)
  meter.end(reply.kind === 'stream', !whole)
}

/** @returns whether the client stayed as long as there was something to wait for */
async function sendStream(reply: StreamReply, line: Line, delivery: Delivery): Promise<boolean> {
  const { response, meter, faults } = delivery
  writeStreamHead(reply, delivery)
  response.flushHeaders()
  await line.wait(faults.ttft ?? 0)
  let sent = 0
  let isBroken = false
  for (const frame of reply.frames) {
    if (line.closed) return false
    if (sent === faults.cut) {
      await line.cut()
      return true
    }
    if (sent === faults.stall) {
      await line.untilClosed()
      return false
    }
    if (sent === faults.end) break
    if (sent === faults['error-event']) {
      await line.write(reply.errorFrame)
      break
    }
    if (faults.tps && frame.tokens > 0) await line.wait((frame.tokens * 1000) / faults.tps)
    if (line.closed) return false
    let { text } = frame
    if (faults.malformed && !isBroken && frame.tokens > 0) {
      text = toBroken(text)
      isBroken = true
    }
    meter.chargeOutput(frame.tokens)
    await (faults.drip ? line.drip(text, faults.drip) : line.write(text))
    sent++
  }
  if (line.closed) return false
  response.end()
  return true
}

async function sendBody(reply: BodyReply, line: Line, delivery: Delivery): Promise<boolean> {
  const { response, meter, faults, clock } = delivery
  const { outputTokens } = reply.bill
  const begunMs = clock.monotonicMs()
  await line.wait(faults.ttft ?? 0)
  if (faults.tps) await line.wait((outputTokens * 1000) / faults.tps)
  if (line.closed) {
    const spokenMs = clock.monotonicMs() - begunMs - (faults.ttft ?? 0)
    const spoken = Math.floor((Math.max(0, spokenMs) * (faults.tps ?? 0)) / 1000)
    meter.chargeOutput(Math.min(outputTokens, spoken))
    return false
  }
  meter.chargeOutput(outputTokens)
  const bytes = Buffer.from(reply.body)
  const half = bytes.subarray(0, bytes.length >> 1)
  if (faults.malformed || faults.end !== undefined) {
    writeBodyHead({ ...reply, body: half }, delivery)
    response.end(half)
    return true
  }
  writeBodyHead(reply, delivery)
  if (faults.cut !== undefined || faults.stall !== undefined) {
    await line.write(half)
    if (faults.cut !== undefined) {
      await line.cut()
      return true
    }
    await line.untilClosed()
    return false
  }
  if (faults.drip) await line.drip(bytes, faults.drip)
  else await line.write(bytes)
  if (line.closed) return false
  response.end()
  return true
}

/** The event keeps its frame and loses the end of its JSON. */
function toBroken(frame: string): string {
  return `${frame.slice(0, frame.length >> 1).trimEnd()}\n\n`
}

function writeStreamHead(reply: StreamReply, { response, headers, faults }: Delivery): void {
  response.writeHead(200, {
    'content-type': faults['content-type'] ?? reply.contentType,
    'cache-control': 'no-cache',
    ...headers,
  })
}

function writeBodyHead(reply: BodyReply, { response, headers, faults }: Delivery): void {
  response.writeHead(reply.status, {
    'content-type': faults['content-type'] ?? reply.contentType,
    'content-length': typeof reply.body === 'string' ? Buffer.byteLength(reply.body) : reply.body.length,
    ...headers,
  })
}
