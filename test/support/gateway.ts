import { once } from 'node:events'
import { loadConfig, parseConfig } from '../../src/config/load.ts'
import type { Config, ConfigInput } from '../../src/config/schema/config-schema.ts'
import type { Clock } from '../../src/core/clock.ts'
import { createGateway, type Gateway } from '../../src/gateway.ts'
import { createServer } from '../../src/http/server.ts'
import { prepareFirstStart } from '../../src/identity/first-start.ts'
import type { LedgerRow } from '../../src/ledger/ports.ts'
import type { Exchange } from '../../src/pipeline/exchange.ts'
import { KINDS } from '../../src/providers/kinds.ts'
import { createSimulator, type Simulator } from '../../src/simulator/server.ts'
import type { Database } from '../../src/storage/database.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { createDataDirectory } from './services.ts'

type Providers = NonNullable<ConfigInput['providers']>

export interface StartOptions {
  /**
   * In place of `openai`, `anthropic` and `google`, which all lead to the simulator. A function gets the simulator's
   * address: `(url) => ({ local: { kind: 'openai-compatible', baseUrl: `${url}/v1` } })`.
   */
  readonly providers?: Providers | ((simulatorUrl: string) => Providers)
  /** Laid over the defaults, section by section. */
  readonly config?: ConfigInput
  /** Read as the process environment would be; secrets in `config` then have to be references to it. */
  readonly env?: Readonly<Record<string, string>>
  readonly clock?: Clock
  /** Uniform in [0, 1). */
  readonly random?: () => number
}

/** A whole gateway on a port of its own, with an empty database and the simulator as its providers. */
export interface TestGateway {
  /** `http://127.0.0.1:…`, without `/v1`. */
  readonly url: string
  /** A key of the organization `default`. */
  readonly key: string
  readonly adminKey: string
  readonly gateway: Gateway
  readonly database: Database
  readonly simulator: Simulator
  readonly simulatorUrl: string
  /** @returns another organization, without rate limits, with a key */
  newOrganization(name: string): Promise<{ readonly id: string; readonly key: string }>
  /**
   * Waits for the calls that are under way: a reply may be read to its end a moment before it is booked.
   *
   * @returns the final rows of all calls, newest first
   */
  ledger(): Promise<readonly LedgerRow[]>
  close(): Promise<void>
}

const ADMIN_KEY = 'an-admin-key-for-tests-only-0000'
const LEDGER_ROWS_MAX = 200

/**
 * Boots everything but the command line:
 *
 *     const house = await startGateway({ config: { models: { chat: { targets: ['openai/gpt-4o'] } } } })
 *     const client = new OpenAI({ apiKey: house.key, baseURL: `${house.url}/v1`, maxRetries: 0 })
 *     …
 *     await house.close()
 *
 * Faults of the provider are steered with the request header `x-sim` (see `src/simulator/faults.ts`).
 */
export async function startGateway(options: StartOptions = {}): Promise<TestGateway> {
  const { clock, random } = options
  const simulator = createSimulator()
  const { url: simulatorUrl } = await simulator.listen()
  const config = await toConfig(options, simulatorUrl)
  const data = await createDataDirectory()
  const database = await openDatabase({ dataDir: data.folder })
  const gateway = await createGateway({
    config,
    database,
    ...(clock === undefined ? {} : { clock }),
    ...(random === undefined ? {} : { random }),
  })
  const underWay = new Set<Exchange>()
  gateway.events.on('request', (exchange) => underWay.add(exchange))
  gateway.events.on('settled', (exchange) => underWay.delete(exchange))
  const server = await createServer(gateway)
  const key = await prepareFirstStart(gateway.identityStore, gateway.organizations)
  if (key === undefined) throw new Error('A new database has no organization yet.')
  const url = await server.listen()

  return {
    url,
    key,
    adminKey: ADMIN_KEY,
    gateway,
    database,
    simulator,
    simulatorUrl,
    async newOrganization(name) {
      const { id } = await gateway.organizations.create({ name, isLimited: false })
      return { id, key: (await gateway.organizations.issueKey(id, { name: 'a key' })).key }
    },
    async ledger() {
      // Calls of strangers are not booked.
      while ([...underWay].some(({ caller }) => caller !== undefined)) await once(gateway.events, 'settled')
      await gateway.flushLedger()
      return (await gateway.ledgerStore.listRequests({}, { limit: LEDGER_ROWS_MAX })).data
    },
    async close() {
      await server.close()
      await gateway.close()
      await database.close()
      data.remove()
      await simulator.close()
    },
  }
}

function toConfig({ config = {}, env, providers }: StartOptions, simulatorUrl: string): Promise<Config> {
  const given = typeof providers === 'function' ? providers(simulatorUrl) : providers
  const knownKinds = [...KINDS.keys()]
  const server = { host: '127.0.0.1', port: 0, ...config.server }
  if (env !== undefined) {
    const file = JSON.stringify({
      breaker: NO_BREAKER,
      ...config,
      server,
      ...(given === undefined ? {} : { providers: given }),
    })
    return loadConfig({
      knownKinds,
      env: { GATEHOUSE_ADMIN_KEY: ADMIN_KEY, GATEHOUSE_CONFIG: 'gatehouse.json', ...env },
      cwd: '/',
      readFile: () => Promise.resolve(file),
    }).then((loaded) => loaded.config)
  }
  const input = {
    breaker: NO_BREAKER,
    ...config,
    server: { adminKey: ADMIN_KEY, ...server },
    providers: given ?? config.providers ?? simulated(simulatorUrl),
  }
  return Promise.resolve(parseConfig(input, { knownKinds }))
}

/** Many tests make providers fail on purpose, one after the other: no breaker may keep the next away. */
const NO_BREAKER = { failures: 10_000 }

/** The three providers of the contract's example, each where the simulator speaks its format. */
function simulated(url: string): Providers {
  return {
    openai: { kind: 'openai', baseUrl: `${url}/v1`, apiKey: 'test' },
    anthropic: { kind: 'anthropic', baseUrl: `${url}/v1`, apiKey: 'test' },
    google: { kind: 'google', baseUrl: `${url}/v1beta`, apiKey: 'test' },
  }
}
