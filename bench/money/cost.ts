import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { systemClock } from '../../src/core/clock.ts'
import { createAdmission, type QuoteOf } from '../../src/limits/admission.ts'
import { Experience } from '../../src/limits/experience.ts'
import { makeAttempt } from '../../src/limits/fixtures/make-limits.ts'
import { MemoryCounters } from '../../src/limits/memory-counters.ts'
import { type Limits, NO_BUDGET, NO_LIMITS, ORGANIZATION, type Subject } from '../../src/limits/policy.ts'
import { PolicyBook } from '../../src/limits/policy-book.ts'
import type { Exchange } from '../../src/pipeline/exchange.ts'
import { makeExchange, makeIncoming } from '../../src/pipeline/fixtures/make-exchange.ts'
import { MODEL, PRICES } from '../../test/money/replicas.ts'
import { type Result, type Served, startServed } from '../../test/money/served.ts'
import { median } from '../statistics.ts'
import type { Stores } from './stores.ts'

export interface CostRow {
  readonly name: string
  readonly figure: string
}

const CALLS = 20_000
const ROUNDS = 7
/** As many different ones are called of ten and of a million, so that the processor's caches tell no difference. */
const SAMPLE = 10
const LIMITS: Limits = {
  ...NO_LIMITS,
  requestsPerMinute: 10 ** 9,
  tokensPerHour: 10 ** 12,
  costPerDayNanoUsd: 10 ** 15,
}
const BUDGET = { ...NO_BUDGET, limitNanoUsd: 10 ** 15 }
const QUOTE: QuoteOf = () => ({
  quote: { costOf: (input, output) => input * 1000 + output * 4000 },
  priceVersion: 'v',
  unitsNanoUsd: 0,
})

/** @returns what a hold and its settlement cost, by how many organizations, or keys of one, there are */
export async function admissionRows(counts: readonly number[]): Promise<CostRow[]> {
  const rows: CostRow[] = []
  for (const [what, meters, layOut] of [
    ['organizations', 4, ofOrganizations],
    ['keys of one organization', 12, ofKeys],
  ] as const) {
    const figures: number[] = []
    for (const count of counts) {
      const us = await timeAdmission(count, layOut)
      figures.push(us)
      const name = `hold + settle, ${meters} meters, ${count.toLocaleString('en')} ${what}`
      rows.push({ name, figure: `${us.toFixed(2)} µs CPU` })
    }
    const ratio = (figures.at(-1) ?? 0) / (figures[0] ?? 1)
    rows.push({ name: `the same, most to fewest ${what}`, figure: `× ${ratio.toFixed(2)}` })
  }
  return rows
}

type LayOut = (book: PolicyBook, count: number) => (index: number) => NonNullable<Exchange['caller']>

const ofOrganizations: LayOut = (book, count) => {
  for (let index = 0; index < count; index++) put(book, `organization-${index}`, ORGANIZATION)
  return (index) => ({ ...NOBODY, organizationId: `organization-${index}` })
}

const ofKeys: LayOut = (book, count) => {
  put(book, 'acme', ORGANIZATION)
  put(book, 'acme', { scope: 'team', id: 'T1' })
  for (let index = 0; index < count; index++) put(book, 'acme', { scope: 'key', id: `K${index}` })
  return (index) => ({ ...NOBODY, organizationId: 'acme', teamId: 'T1', keyId: `K${index}` })
}

const NOBODY = { organizationId: '', teamId: null, keyId: null, user: null, models: null }

function put(book: PolicyBook, organizationId: string, subject: Subject): void {
  book.put({ organizationId, subject, limits: LIMITS, budget: BUDGET })
}

async function timeAdmission(count: number, layOut: LayOut): Promise<number> {
  const counters = new MemoryCounters({ clock: systemClock, newId: randomUUID, unknown: 'begin' })
  const book = new PolicyBook()
  const admission = createAdmission({
    counters,
    book,
    experience: new Experience(),
    clock: systemClock,
    keepsNotes: false,
    rebuild: () => Promise.resolve(),
    countText: (text) => Promise.resolve(text.length),
    onError: (error) => {
      throw error
    },
  })
  const callerOf = layOut(book, count)
  const exchangeOf = (index: number) =>
    makeExchange({
      id: `req_${index}`,
      receivedAtMs: Date.now(),
      incoming: makeIncoming({ model: 'm', max_tokens: 100 }, { body: Buffer.alloc(400) }),
      caller: callerOf(index),
      plan: { route: 'm', targets: [{ provider: 'p', model: 'm', reason: '' }] },
      attempts: [ATTEMPT],
    })
  const call = (exchange: Exchange) => {
    if (admission.admit(exchange, QUOTE) !== undefined)
      throw new Error('A call of the benchmark had to wait.')
    admission.settle(exchange, true)
  }
  // Each has its windows, so that there is something to be found among.
  for (let index = 0; index < count; index++) call(exchangeOf(index))
  const step = Math.max(1, Math.floor(count / SAMPLE))
  const sample = Array.from({ length: Math.min(SAMPLE, count) }, (_, index) => exchangeOf(index * step))
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = process.cpuUsage()
    for (let turn = 0; turn < CALLS; turn++) {
      const exchange = sample[turn % sample.length]
      if (exchange !== undefined) call(exchange)
    }
    least = Math.min(least, process.cpuUsage(startedAt).user / CALLS)
  }
  admission.close()
  await counters.close()
  return least
}

const ATTEMPT = makeAttempt({
  provider: 'p',
  model: 'm',
  usage: { inputTokens: 100, outputTokens: 100 },
  costNanoUsd: 500_000,
})

const COUNTED = 10
const WARM = 400
const TIMED = 2000
const UPSTREAM_MS = 100

/** @returns what Redis adds to a call, by commands and by time */
export async function redisRows(stores: Stores, closers: (() => unknown)[]): Promise<CostRow[]> {
  const open = async (redisUrl: string | undefined) => {
    const { simulatorUrl, databaseUrl } = stores
    const config = { prices: PRICES }
    const served = await startServed({ simulatorUrl, databaseUrl, redisUrl, replicas: 1, config }, MODEL)
    closers.push(served.close)
    // The default organization stays over restarts, and its key is told once: both have one of their own.
    const { id, key } = await served.newOrganization(`costs ${redisUrl === undefined}`)
    const path = `/organizations/${id}`
    await served.api('PUT', `${path}/budget`, { monthlyLimitUsd: '100000' })
    await served.api('PUT', `${path}/limits`, { requestsPerMinute: 1_000_000, tokensPerHour: 10 ** 10 })
    for (let warm = 0; warm < WARM; warm++) await served.send(0, { key })
    return { served, key }
  }
  const without = await open(undefined)
  const shared = await open(stores.server.url)
  const aloneMs: number[] = []
  const sharedMs: number[] = []
  // By turns, so that both have the same of what else the machine does.
  for (let call = 0; call < TIMED; call++) {
    aloneMs.push((await without.served.send(0, { key: without.key })).elapsedMs)
    sharedMs.push((await shared.served.send(0, { key: shared.key })).elapsedMs)
  }
  const { before, after } = await countCommands(stores, shared.served, shared.key)
  const waitedMs = await silentAfterwards(stores, shared.served, shared.key)
  return [
    { name: 'Redis: scripts before a call', figure: before.toFixed(2) },
    { name: 'Redis: scripts after it', figure: after.toFixed(2) },
    {
      name: `Redis: what a reply waits for it, where it falls silent during the call`,
      figure: `${waitedMs.toFixed(1)} ms`,
    },
    {
      name: 'Redis: added p50, against counters in the process',
      figure: `${(median(sharedMs) - median(aloneMs)).toFixed(2)} ms`,
    },
  ]
}

/** One call at a time: what Redis is asked while the provider thinks came before, the rest after. */
async function countCommands(
  { server }: Stores,
  served: Served,
  key: string,
): Promise<{ readonly before: number; readonly after: number }> {
  const watcher = new Redis(server.url)
  const monitor = await watcher.monitor()
  let scripts = 0
  monitor.on('monitor', (_time: string, [command = '', ...args]: string[]) => {
    // Those that count on meters of an organization; sweeping and sharing go on without any call.
    if (/^evalsha$|^eval$/i.test(command) && args.some((arg) => arg.includes('}:hold:req_'))) scripts++
  })
  let before = 0
  const headers = { 'x-sim': `latency=${UPSTREAM_MS}` }
  for (let call = 0; call < COUNTED; call++) {
    const startedFrom = scripts
    const reply = served.send(0, { key, headers })
    await new Promise((resolve) => setTimeout(resolve, UPSTREAM_MS * 0.8))
    before += scripts - startedFrom
    await reply
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const after = scripts - before
  monitor.disconnect()
  watcher.disconnect()
  return { before: before / COUNTED, after: after / COUNTED }
}

/** @returns how much longer a call takes whose settlement nobody answers */
async function silentAfterwards({ server }: Stores, served: Served, key: string): Promise<number> {
  const headers = { 'x-sim': `latency=${UPSTREAM_MS}` }
  const plain: Result[] = []
  for (let call = 0; call < 5; call++) plain.push(await served.send(0, { key, headers }))
  const late = served.send(0, { key, headers })
  await new Promise((resolve) => setTimeout(resolve, UPSTREAM_MS / 2))
  server.freeze()
  const { elapsedMs } = await late
  server.thaw()
  return elapsedMs - median(plain.map((each) => each.elapsedMs))
}
