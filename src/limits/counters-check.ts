import assert from 'node:assert'
import type { Amounts, Meter } from './ports.ts'

const METERS_MAX = 256
const NOTE_BYTES_MAX = 4096

/** Asserts that counting these is exact: integers, not negative, and no meter twice. */
export function checkAmounts({ requests, tokens, costNanoUsd }: Amounts): void {
  checkCount(requests, 'requests')
  checkCount(tokens, 'tokens')
  checkCount(costNanoUsd, 'costNanoUsd')
}

export function checkMeters(meters: readonly Meter[]): void {
  assert(meters.length <= METERS_MAX, `A call can have ${METERS_MAX} meters, not ${meters.length}.`)
  for (let index = 0; index < meters.length; index++) {
    const meter = meters[index]
    if (meter === undefined) continue
    if (meter.limit !== null) checkCount(meter.limit, 'limit')
    if (meter.window.kind === 'rolling') checkSpan(meter.window.ms, 'window')
    for (let other = 0; other < index; other++) {
      assert(meters[other]?.id !== meter.id, `The meter ${meter.id} is named twice.`)
    }
  }
}

export function checkSpan(ms: number, name: string): void {
  assert(Number.isSafeInteger(ms) && ms >= 1, `${name} is a whole number of milliseconds from 1, not ${ms}.`)
}

export function checkDelta(delta: number): void {
  assert(Number.isSafeInteger(delta), `delta is a whole number, not ${delta}.`)
}

/** A note is kept with its hold, so it has to be small. */
export function checkNote(note: string | undefined): void {
  assert(
    note === undefined || Buffer.byteLength(note) <= NOTE_BYTES_MAX,
    `A note has at most ${NOTE_BYTES_MAX} bytes.`,
  )
}

export function checkCount(count: number, name: string): void {
  assert(Number.isSafeInteger(count) && count >= 0, `${name} is a whole number from 0, not ${count}.`)
}
