import { endLeases, openHolds } from '../../test/money/lease-ends.ts'
import { CALL_NANO_USD } from '../../test/money/replicas.ts'
import type { Result, SendOptions, Served } from '../../test/money/served.ts'
import { askLedger, readLedger } from './ledger-view.ts'
import { type Covered, type Outcome, sumOf, toOutcome } from './outcome.ts'
import type { Stores } from './stores.ts'

/** Where a scenario runs. */
export interface Ground {
  readonly served: Served
  /** `undefined` = one process with everything inside. */
  readonly stores: Stores | undefined
  /** How often a replica is killed. */
  readonly rounds: number
  /** How long the database is away. */
  readonly awayMs: number
}

export interface Scenario {
  readonly name: string
  readonly needs: 'nothing' | 'stores'
  run(ground: Ground): Promise<Outcome>
}

/** Of a budget for so many calls, asked for by so many at once. */
const CALLS = 50
const PARALLEL = 200
/** Another replica hears of a change within a second. */
const IN_FORCE_MS = 1000
const SETTLED_MS_MAX = 60_000
const LOOK_MS = 100
/** Calls without an answer are booked too. */
const BOOKED_MS = 1500
const RETRY_MS = 500
const TRIES_MAX = 20

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A budget, the calls against it, and what became of both. */
class Trial {
  readonly results: Result[] = []
  readonly ground: Ground
  readonly id: string
  readonly key: string
  private readonly budgets: readonly Covered[]
  private readonly startedMs = performance.now()

  private constructor(ground: Ground, id: string, key: string, budgets: readonly Covered[]) {
    this.ground = ground
    this.id = id
    this.key = key
    this.budgets = budgets
  }

  static async begin(ground: Ground, calls: Readonly<Record<string, number>>): Promise<Trial> {
    const { served } = ground
    const { id, key } = await served.newOrganization(`trial ${performance.now()}`)
    const budgets: Covered[] = []
    for (const [name, count] of Object.entries(calls)) {
      const limitNanoUsd = count * CALL_NANO_USD
      budgets.push({ name, limitNanoUsd })
      await served.api('PUT', `${pathOf(id, name)}/budget`, {
        monthlyLimitUsd: (limitNanoUsd / 1e9).toFixed(9),
      })
    }
    await pause(IN_FORCE_MS)
    return new Trial(ground, id, key, budgets)
  }

  /** Sends so many calls at once, by turns to all replicas. */
  async burst(count: number, options: (index: number) => SendOptions): Promise<void> {
    const { served } = this.ground
    const calls = Array.from({ length: count }, async (_, index) => {
      const replica = index % served.replicas.length
      this.results.push(await served.send(replica, { key: this.key, ...options(index) }))
    })
    await Promise.all(calls)
  }

  /** The same with clients that try again where it is not their fault, every half second for ten seconds. */
  async persist(count: number, options: (index: number) => SendOptions): Promise<void> {
    const { served } = this.ground
    const calls = Array.from({ length: count }, async (_, index) => {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const replica = (index + tries) % served.replicas.length
        const result = await served.send(replica, { key: this.key, ...options(index) })
        this.results.push(result)
        if (result.status !== 0 && result.status !== 503) return
        await pause(RETRY_MS)
      }
    })
    await Promise.all(calls)
  }

  /** @returns once so many were answered */
  async untilAnswered(count: number): Promise<void> {
    await until(() => this.results.filter(({ isWhole }) => isWhole).length >= count)
  }

  /** Waits until nothing is held any more and the books are written. */
  async end(): Promise<Outcome> {
    const { served, stores } = this.ground
    let heldNanoUsd = 0
    await until(async () => {
      heldNanoUsd = await served.heldNanoUsd(this.id).catch(() => Number.NaN)
      return heldNanoUsd === 0
    })
    const seconds = (performance.now() - this.startedMs) / 1000
    const read = () =>
      stores === undefined ? askLedger(served, this.id) : readLedger(stores.database, this.id)
    let ledger = await read()
    // Rows are on their way for a second, and longer where the database was away: lost is what never comes.
    await until(async () => {
      ledger = await read()
      return this.results.every(({ isWhole, id }) => !isWhole || ledger.rowsOf.has(id))
    })
    await pause(BOOKED_MS)
    ledger = await read()
    const held = Number.isNaN(heldNanoUsd) ? 1 : heldNanoUsd
    return toOutcome(this.results, ledger, this.budgets, CALL_NANO_USD, { heldNanoUsd: held, seconds })
  }
}

/** @returns once it is so, or after a minute */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + SETTLED_MS_MAX
  while (performance.now() < endMs && !(await isSo())) await pause(LOOK_MS)
}

function pathOf(organizationId: string, name: string): string {
  const [scope = '', id = ''] = name.split('/')
  return scope === 'organization'
    ? `/organizations/${organizationId}`
    : `/${scope}s/${organizationId}/${encodeURIComponent(id)}`
}

/** 200 at once against a budget for 50. */
function plain(name: string, options: (index: number) => SendOptions): Scenario {
  return {
    name,
    needs: 'nothing',
    async run(ground) {
      const trial = await Trial.begin(ground, { organization: CALLS })
      await trial.burst(PARALLEL, options)
      // What those left over who went away can be used by others.
      await trial.burst(20, () => ({}))
      return trial.end()
    },
  }
}

const sim = (text: string) => ({ 'x-sim': text })
/** Long enough that something can happen meanwhile. */
const SLOW = { headers: sim('latency=100,jitter=100') }

/** While calls of 200 clients are under way, something happens. */
function disturbed(name: string, happens: (trial: Trial, stores: Stores) => Promise<void>): Scenario {
  return {
    name,
    needs: 'stores',
    async run(ground) {
      if (ground.stores === undefined) throw new Error(`${name} needs stores.`)
      const trial = await Trial.begin(ground, { organization: CALLS })
      const load = trial.persist(PARALLEL, () => SLOW)
      await happens(trial, ground.stores)
      await load
      await trial.persist(20, () => ({}))
      return trial.end()
    },
  }
}

export const SCENARIOS: readonly Scenario[] = [
  plain('right after the start', () => ({})),
  plain('whole answers', () => ({})),
  plain('a cap far above', () => ({ body: { max_tokens: 1000 } })),
  plain('streams', () => ({ body: { stream: true } })),
  plain('streams, half of the clients leave', (index) => ({ body: { stream: true }, leaves: index % 4 < 2 })),
  plain('the provider fails half of the time', (index) =>
    index % 4 < 2 ? { headers: sim('status=500') } : {},
  ),
  plain('the provider takes 200 ms, more or less', () => ({ headers: sim('latency=100,jitter=200') })),
  {
    name: 'three nested budgets',
    needs: 'nothing',
    async run(ground) {
      const trial = await Trial.begin(ground, { organization: CALLS, 'user/ann': 30, 'tag/deal=D-17': 10 })
      await trial.burst(PARALLEL, (index) => ({
        headers: {
          'x-gatehouse-user': index % 2 === 0 ? 'ann' : 'bob',
          'x-gatehouse-tags': `deal=D-${15 + (index % 3)}`,
        },
      }))
      await trial.burst(20, () => ({}))
      return trial.end()
    },
  },
  disturbed('Redis is emptied', async (trial, { redis }) => {
    await trial.untilAnswered(15)
    await redis.flushall()
  }),
  disturbed('Redis comes back from an older snapshot', async (trial, { redis, server }) => {
    await trial.untilAnswered(5)
    await redis.save()
    await trial.untilAnswered(15)
    await server.kill()
    await server.start()
  }),
  disturbed('Redis does not answer for 3 s', async (trial, { server }) => {
    await trial.untilAnswered(15)
    server.freeze()
    await pause(3000)
    server.thaw()
  }),
  disturbed('PostgreSQL is away', async (trial, { way }) => {
    await trial.untilAnswered(5)
    await way.cut()
    await pause(trial.ground.awayMs)
    await way.mend()
  }),
  {
    name: 'a replica is killed',
    needs: 'stores',
    async run(ground) {
      const outcomes: Outcome[] = []
      for (let round = 0; round < ground.rounds; round++) outcomes.push(await killOne(ground, round))
      return sumOf(outcomes)
    },
  },
  {
    name: 'the process is killed',
    needs: 'nothing',
    async run(ground) {
      const outcomes: Outcome[] = []
      for (let round = 0; round < ground.rounds; round++) outcomes.push(await killOne(ground, round))
      return sumOf(outcomes)
    },
  },
]

/** Kills one in the middle of the load, starts it again, and uses up what the dead left. */
async function killOne(ground: Ground, round: number): Promise<Outcome> {
  const { served, stores } = ground
  const trial = await Trial.begin(ground, { organization: CALLS })
  const load = trial.persist(PARALLEL, (index) => ({
    ...SLOW,
    body: { stream: index % 3 === 0, max_tokens: 50 },
  }))
  await trial.untilAnswered(5 + ((round * 7) % 20))
  const victim = served.replicas[round % served.replicas.length]
  await victim?.kill()
  const held = stores === undefined ? [] : await openHolds(stores.redis, trial.id)
  await victim?.start()
  // Calls of the others last for less than a second: what is left then was of the dead.
  await pause(1000)
  if (stores !== undefined) await endLeases(stores.redis, trial.id, held)
  await load
  await trial.persist(20, () => ({}))
  return trial.end()
}
