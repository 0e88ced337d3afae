import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigInput } from '../../src/config/schema/config-schema.ts'
import { type RunningCommand, startCommand } from '../support/command.ts'

const ADMIN_KEY = 'an-admin-key-for-tests-only-0000'
/** Secrets stand in no file. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: references are written like this.
const PROVIDER_KEY = '${env:PROVIDER_KEY}'
/** About as long as the provider says: a new process knows nothing but the length of what it is asked. */
const PROMPT = 'How many words are there? '.repeat(30)
/** A reply that takes longer has gone astray. */
const REPLY_MS_MAX = 30_000

export interface ServedOptions {
  readonly simulatorUrl: string
  /** Left out: embedded, each process with its own. */
  readonly databaseUrl?: string | undefined
  readonly redisUrl?: string | undefined
  readonly replicas: number
  /** Holds a migrated embedded database, to be copied. */
  readonly template?: string | undefined
  readonly config?: ConfigInput
}

/** What came of a call. */
export interface Result {
  /** 0 = the connection broke. */
  readonly status: number
  readonly code: string | undefined
  readonly id: string
  /** Whether its client has all of the answer. */
  readonly isWhole: boolean
  readonly elapsedMs: number
}

export interface SendOptions {
  /** Of the organization `default` where left out. */
  readonly key?: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  /** Goes away as soon as something of the answer is there. */
  readonly leaves?: boolean
}

/** `gatehouse serve` in a process of its own. */
export interface ServedReplica {
  readonly url: string
  readonly dataDir: string
  readonly isRunning: boolean
  start(): Promise<void>
  /** As the kernel ends it that has no memory left. */
  kill(): Promise<void>
  /** SIGTERM, and until it has ended. */
  stop(): Promise<void>
}

/** Counters, ledger and holds of one budget, as a dry reconciliation tells them. */
export interface Books {
  readonly ledgerNanoUsd: number
  readonly counterNanoUsd: number
  readonly heldNanoUsd: number
}

/** Processes that serve the same organization. */
export interface Served {
  readonly replicas: readonly ServedReplica[]
  readonly organizationId: string
  send(replica: number, options?: SendOptions): Promise<Result>
  /** Asks the control API of the first replica that runs. @throws Error where it refuses */
  api(method: string, path: string, body?: object): Promise<unknown>
  /** @returns another organization, with a key; a moment later all replicas know it */
  newOrganization(name: string): Promise<{ readonly id: string; readonly key: string }>
  /** @param organizationId `default` where left out */
  books(organizationId?: string): Promise<Books>
  heldNanoUsd(organizationId?: string): Promise<number>
  close(): Promise<void>
}

/** @param model `provider/model` of the calls that say no other */
export async function startServed(options: ServedOptions, model: string): Promise<Served> {
  const home = mkdtempSync(join(tmpdir(), 'gatehouse-served-'))
  const { simulatorUrl, databaseUrl, redisUrl } = options
  const config: ConfigInput = {
    ...options.config,
    server: { host: '127.0.0.1', port: 0, drainSeconds: 5 },
    providers: { openai: { kind: 'openai', baseUrl: `${simulatorUrl}/v1`, apiKey: PROVIDER_KEY } },
    storage: {
      ...options.config?.storage,
      ...(databaseUrl === undefined ? {} : { database: databaseUrl }),
      ...(redisUrl === undefined ? {} : { redis: redisUrl }),
    },
  }
  writeFileSync(join(home, 'gatehouse.json'), JSON.stringify(config))
  const replicas = Array.from({ length: options.replicas }, (_, index) =>
    servedReplica(home, join(home, `data-${index}`), options.template),
  )
  let firstKey = ''
  try {
    for (const replica of replicas) {
      await replica.start()
      firstKey ||= replica.firstKey()
    }
  } catch (error) {
    await close()
    throw error
  }
  const organizations = (await api('GET', '/organizations')) as { data: { id: string; slug: string }[] }
  const organizationId = organizations.data.find(({ slug }) => slug === 'default')?.id ?? ''

  async function api(method: string, path: string, body?: object): Promise<unknown> {
    const replica = replicas.find(({ isRunning }) => isRunning)
    if (replica === undefined) throw new Error('No replica runs.')
    const response = await fetch(`${replica.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_KEY}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async function send(
    replica: number,
    { key = firstKey, body, headers, leaves }: SendOptions = {},
  ): Promise<Result> {
    const startedMs = performance.now()
    const elapsedMs = () => performance.now() - startedMs
    const controller = new AbortController()
    let status = 0
    let id = ''
    try {
      const response = await fetch(`${replicas[replica]?.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ model, messages: [{ role: 'user', content: PROMPT }], ...body }),
        signal: AbortSignal.any([controller.signal, AbortSignal.timeout(REPLY_MS_MAX)]),
      })
      status = response.status
      id = response.headers.get('x-request-id') ?? ''
      if (leaves === true && response.ok) {
        await response.body?.getReader().read()
        controller.abort()
        return { status, code: undefined, id, isWhole: false, elapsedMs: elapsedMs() }
      }
      const text = await response.text()
      return { status, code: codeOf(text), id, isWhole: response.ok && isWhole(text), elapsedMs: elapsedMs() }
    } catch {
      return { status, code: undefined, id, isWhole: false, elapsedMs: elapsedMs() }
    }
  }

  async function close(): Promise<void> {
    for (const replica of replicas) await replica.kill()
    rmSync(home, { recursive: true, force: true })
  }

  return {
    replicas,
    organizationId,
    send,
    api,
    async newOrganization(name) {
      const { id } = (await api('POST', '/organizations', { name })) as { id: string }
      const { key } = (await api('POST', `/organizations/${id}/keys`, { name: 'a key' })) as { key: string }
      return { id, key }
    },
    async books(id = organizationId) {
      const request = { organizationId: id, repair: false }
      const { meters } = (await api('POST', '/usage/reconcile', request)) as {
        meters: (Books & { meter: string })[]
      }
      const found = meters.find(({ meter }) => meter === 'organization/budget')
      if (found === undefined) throw new Error('The organization has no budget.')
      return found
    },
    async heldNanoUsd(id = organizationId) {
      const budget = (await api('GET', `/organizations/${id}/budget`)) as Books
      return budget.heldNanoUsd
    },
    close,
  }
}

function servedReplica(home: string, dataDir: string, template: string | undefined) {
  if (template === undefined) mkdirSync(dataDir)
  else cpSync(template, dataDir, { recursive: true })
  let command: RunningCommand | undefined
  let url = ''
  const end = async (signal: NodeJS.Signals) => {
    const running = command
    command = undefined
    running?.process.kill(signal)
    await running?.ended
  }
  return {
    dataDir,
    get url() {
      return url
    },
    get isRunning() {
      return command !== undefined
    },
    async start() {
      const env = {
        GATEHOUSE_CONFIG: join(home, 'gatehouse.json'),
        GATEHOUSE_DATA_DIR: dataDir,
        GATEHOUSE_ADMIN_KEY: ADMIN_KEY,
        PROVIDER_KEY: 'test',
        NODE_COMPILE_CACHE: join(tmpdir(), 'gatehouse-compiled'),
      }
      const started = startCommand(['serve', '--port', '0', '--log-level', 'error'], { cwd: home, env })
      command = started
      url = (await started.waitFor(/Gateway +(http:\S+)\/v1/))[1] ?? ''
    },
    /** Empty where there was one already. */
    firstKey: () => /First key +(gh-\S+)/.exec(command?.stdout() ?? '')?.[1] ?? '',
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
}

function codeOf(text: string): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1]
}

/** Whole answers are JSON; streams end in a word of their own. */
function isWhole(text: string): boolean {
  return text.startsWith('{') || text.trimEnd().endsWith('data: [DONE]')
}
