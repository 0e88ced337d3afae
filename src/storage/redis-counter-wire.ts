import assert from 'node:assert'
import type { Amounts, Hold, Meter, MeterState, TakeResult } from '../limits/ports.ts'

const METERS_MAX = 256
const NOTE_BYTES_MAX = 4096
/** The tag that keeps an organization's keys together ends at the first brace, so an id cannot have one. */
const ORGANIZATION_ID = /^[^{}]+$/
/** Told from our own keys (`hold:…`, `leases`, `state`) by the slash, and from periods by the end. */
const METER_ID = /^[a-z]+\/(?!.*@\d*$)/s

/** The names of one organization's keys. */
export interface OrganizationKeys {
  /** Before all of them: `ratelimit:{acme}:`. */
  readonly prefix: string
  readonly state: string
  readonly leases: string
}

export function keysOf(namespace: string, organizationId: string): OrganizationKeys {
  assert(ORGANIZATION_ID.test(organizationId), `No keys can be named for the organization ${organizationId}.`)
  const prefix = `${namespace}:{${organizationId}}:`
  return { prefix, state: `${prefix}state`, leases: `${prefix}leases` }
}

export function holdKey({ prefix }: OrganizationKeys, holdId: string): string {
  return `${prefix}hold:${holdId}`
}

/** @param meterKey as `toMeters` returned it: a period is part of it */
export function adjustmentKey({ prefix }: OrganizationKeys, meterKey: string, id: string): string {
  return `${prefix}adjusted:${meterKey.slice(prefix.length)} ${id}`
}

/** @returns the key and the six arguments of each meter */
export function toMeters(
  prefix: string,
  meters: readonly Meter[],
): { readonly keys: string[]; readonly args: string[] } {
  assert(meters.length <= METERS_MAX, `A call can have ${METERS_MAX} meters, not ${meters.length}.`)
  const keys: string[] = []
  const args: string[] = []
  for (const { id, quantity, limit, window } of meters) {
    assert(METER_ID.test(id), `No key can be named for the meter ${id}.`)
    // Calls under way come back when they end, so a window would only lose them.
    const kind = quantity === 'concurrency' ? 'none' : window.kind
    const isPeriod = kind === 'period' && window.kind === 'period'
    const isRolling = kind === 'rolling' && window.kind === 'rolling'
    const key = isPeriod ? `${prefix}${id}@${toCount(window.startMs, 'startMs')}` : prefix + id
    assert(!keys.includes(key), `The meter ${id} is named twice.`)
    keys.push(key)
    args.push(
      id,
      quantity,
      limit === null ? '' : toCount(limit, 'limit'),
      kind,
      isPeriod ? toCount(window.startMs, 'startMs') : isRolling ? toSpan(window.ms, 'window') : '',
      isPeriod ? toCount(window.endMs, 'endMs') : '',
    )
  }
  return { keys, args }
}

export function toAmounts({ requests, tokens, costNanoUsd }: Amounts): string[] {
  return [toCount(requests, 'requests'), toCount(tokens, 'tokens'), toCount(costNanoUsd, 'costNanoUsd')]
}

export function toSpan(ms: number, name: string): string {
  assert(Number.isSafeInteger(ms) && ms >= 1, `${name} is a whole number of milliseconds from 1, not ${ms}.`)
  return String(ms)
}

/** @returns nothing where there is no note, which an empty one is not */
export function toNote(note: string | undefined): string {
  if (note === undefined) return ''
  assert(Buffer.byteLength(note) <= NOTE_BYTES_MAX, `A note has at most ${NOTE_BYTES_MAX} bytes.`)
  return `=${note}`
}

export function toDelta(delta: number): string {
  assert(Number.isSafeInteger(delta), `delta is a whole number, not ${delta}.`)
  return String(delta)
}

/** Numbers of Lua are doubles as ours are: exact to 2^53. */
export function toCount(count: number, name: string): string {
  assert(Number.isSafeInteger(count) && count >= 0, `${name} is a whole number from 0, not ${count}.`)
  return String(count)
}

/** @param text `used held resets limit` for each meter, with nothing where there is none */
export function fromStates(text: string, ids: readonly string[]): MeterState[] {
  if (text === '') return []
  return text.split(';').map((state, index) => {
    const [used, held, resets, limit] = state.split(' ')
    return {
      id: ids[index] ?? '',
      limit: limit === '' ? null : Number(limit),
      used: Number(used),
      held: Number(held),
      resetsAtMs: resets === '' ? null : Number(resets),
    }
  })
}

/** @param reply what the scripts `TAKE` and `GROW` return where they came to a decision */
export function fromTaken(reply: readonly string[], ids: readonly string[]): TakeResult {
  const [outcome, , , text = '', refusedBy = '', wait = ''] = reply
  const states = fromStates(text, ids)
  if (outcome === 'granted') return { granted: true, states }
  return { granted: false, refusedBy, retryAfterMs: wait === '' ? null : Number(wait), states }
}

/** @param fields of the hold's hash */
export function fromHold(
  organizationId: string,
  holdId: string,
  fields: Readonly<Record<string, string>>,
): Hold {
  const meterIds: string[] = []
  for (let index = 1; index <= METERS_MAX; index++) {
    const part = fields[`meter:${index}`]
    if (part === undefined) break
    // Seven words without a space in them, and the id.
    meterIds.push(part.split(' ').slice(7).join(' '))
  }
  return {
    organizationId,
    holdId,
    amounts: {
      requests: Number(fields.requests),
      tokens: Number(fields.tokens),
      costNanoUsd: Number(fields.cost_nano_usd),
    },
    meterIds,
    takenAtMs: Number(fields.taken_at),
    leaseEndsMs: Number(fields.lease_ends),
    note: fields.note,
  }
}

/** @param pairs fields and values in turn */
export function fromPairs(pairs: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let index = 0; index + 1 < pairs.length; index += 2)
    fields[pairs[index] ?? ''] = pairs[index + 1] ?? ''
  return fields
}
