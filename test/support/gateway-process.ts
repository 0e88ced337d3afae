import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import { parseConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createGateway } from '../../src/gateway.ts'
import { createServer } from '../../src/http/server.ts'
import { prepareFirstStart } from '../../src/identity/first-start.ts'
import { KINDS } from '../../src/providers/kinds.ts'
import { openFileJournal } from '../../src/storage/file-journal.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { openSharedJournal } from '../../src/storage/redis-stores.ts'

/**
 * A gateway to be killed: `gateway-process.ts <settings as JSON>`. It prints `loaded`, opens nothing before it has read
 * a line, and then prints `ready <url> <key or nothing>`, and `! …` for whatever is wrong.
 */
export interface ProcessSettings {
  readonly simulatorUrl: string
  readonly database: { readonly url: string } | { readonly dataDir: string }
  readonly journal: { readonly directory: string } | { readonly redisUrl: string; readonly namespace: string }
}

const { simulatorUrl, database: place, journal: kept } = JSON.parse(process.argv[2] ?? '') as ProcessSettings
const print = (line: string) => void process.stdout.write(`${line}\n`)
const tell = (_: object, message: string) => print(`! ${message}`)
const logger = { debug() {}, info() {}, warn() {}, error: tell }

// Whoever is killed cannot leave it behind.
flushCompileCache()
print('loaded')
await once(process.stdin, 'data')
const database = await openDatabase(place)
const journal =
  'directory' in kept
    ? await openFileJournal({ directory: kept.directory, logger, embedded: 'dataDir' in place })
    : await openSharedJournal({
        url: kept.redisUrl,
        namespace: kept.namespace,
        logger,
        clock: systemClock,
        required: true,
        bytesMax: 2 ** 30,
      })
const config = parseConfig(
  {
    server: { host: '127.0.0.1', port: 0, adminKey: 'an-admin-key-for-tests-only-0000' },
    providers: {
      openai: { kind: 'openai', baseUrl: `${simulatorUrl}/v1`, apiKey: 'test' },
      anthropic: { kind: 'anthropic', baseUrl: `${simulatorUrl}/v1`, apiKey: 'test' },
      google: { kind: 'google', baseUrl: `${simulatorUrl}/v1beta`, apiKey: 'test' },
    },
  },
  { knownKinds: [...KINDS.keys()] },
)
const gateway = await createGateway({ config, database, journal, logger })
const key = await prepareFirstStart(gateway.identityStore, gateway.organizations)
const server = await createServer(gateway)
print(`ready ${await server.listen()} ${key ?? ''}`)
