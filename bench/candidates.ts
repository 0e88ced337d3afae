import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Child, startProgram, startWorker } from './child.ts'
import type { Target } from './orders.ts'

export type CandidateName = 'floor' | 'gatehouse' | 'portkey'

/** A proxy that runs and waits for calls. */
export interface Candidate extends Child {
  readonly name: CandidateName
  /** For people: what it is, and in which version. */
  readonly title: string
  readonly target: Target
  /** How many calls stand in its books, where it keeps any. */
  readonly bookedCalls?: () => Promise<number>
  /** Where it was started with the flag `--inspect`. */
  readonly inspectorUrl?: string | undefined
}

export interface CandidateOptions {
  /** Scheme, host and port of the upstream. */
  readonly upstream: string
  /** The root of the checkout. */
  readonly root: string
  /** Where a candidate may write; removed at the end. */
  readonly folder: string
  /** Run Gatehouse from its sources and not from `dist`. */
  readonly fromSource: boolean
  /** Flags of Node.js for Gatehouse, for the profiler. */
  readonly nodeFlags?: readonly string[]
}

const UPSTREAM_KEY = 'sk-bench-upstream'
const BOOKS_TIMEOUT_MS = 60_000

export async function startFloor({ upstream }: CandidateOptions): Promise<Candidate> {
  const { facts, pid, stop } = await startWorker('floor-proxy.ts', [upstream])
  return {
    name: 'floor',
    title: 'floor (bare node:http and undici)',
    pid,
    stop,
    target: { origin: `http://127.0.0.1:${facts.port}`, headers: { 'content-type': 'application/json' } },
  }
}

/** Gatehouse as it comes: the key of the first start, the ledger in the embedded database. */
export async function startGatehouse(options: CandidateOptions): Promise<Candidate> {
  const { root, fromSource } = options
  const folder = join(options.folder, 'gatehouse')
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'gatehouse.yaml')
  const adminKey = randomBytes(24).toString('base64url')
  writeFileSync(
    config,
    `providers:\n  openai: { kind: openai, baseUrl: "${options.upstream}/v1", apiKey: "\${env:UPSTREAM_KEY}" }\n`,
  )
  const { facts, pid, stop } = await startProgram({
    args: [
      ...(options.nodeFlags ?? []),
      join(root, fromSource ? 'src/cli/main.ts' : 'dist/cli/main.js'),
      'serve',
    ],
    cwd: folder,
    env: {
      GATEHOUSE_CONFIG: config,
      GATEHOUSE_DATA_DIR: join(folder, 'data'),
      GATEHOUSE_HOST: '127.0.0.1',
      GATEHOUSE_PORT: '0',
      GATEHOUSE_ADMIN_KEY: adminKey,
      UPSTREAM_KEY,
    },
    readyWhen(output) {
      const url = /Gateway\s+(http:\/\/\S+)\/v1/.exec(output)?.[1]
      const key = /First key\s+(gh-\S+)/.exec(output)?.[1]
      const inspectorUrl = /Debugger listening on (ws:\/\/\S+)/.exec(output)?.[1] ?? ''
      return url === undefined || key === undefined ? undefined : { url, key, inspectorUrl }
    },
  })
  const { url = '', key = '' } = facts
  return {
    name: 'gatehouse',
    title: `Gatehouse ${versionOf(join(root, 'package.json'))} (${fromSource ? 'from source' : 'production build'}; key check, ledger in the embedded database)`,
    pid,
    stop,
    target: { origin: url, headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` } },
    bookedCalls: () => readBookedCalls(url, adminKey),
    inspectorUrl: facts.inspectorUrl || undefined,
  }
}

async function readBookedCalls(url: string, adminKey: string): Promise<number> {
  const reply = await fetch(`${url}/api/v1/usage`, {
    headers: { authorization: `Bearer ${adminKey}` },
    signal: AbortSignal.timeout(BOOKS_TIMEOUT_MS),
  })
  const { data } = (await reply.json()) as { data?: { requests: number }[] }
  return (data ?? []).reduce((total, { requests }) => total + requests, 0)
}

/**
 * Portkey's gateway as its README starts it, in its cheaper mode: `--headless` and `NODE_ENV=production` switch off
 * the console that would otherwise be sent every call.
 */
export async function startPortkey({ upstream, root, folder }: CandidateOptions): Promise<Candidate> {
  const portkey = join(root, 'node_modules/@portkey-ai/gateway')
  const cwd = join(folder, 'portkey')
  mkdirSync(cwd, { recursive: true })
  const port = await freePort()
  const { pid, stop } = await startProgram({
    args: [
      '--import',
      join(root, 'bench/portkey-preload.mjs'),
      join(portkey, 'build/start-server.js'),
      `--port=${port}`,
      '--headless',
    ],
    cwd,
    env: { NODE_ENV: 'production' },
    readyWhen: (output) => (output.includes('Ready for connections') ? {} : undefined),
  })
  return {
    name: 'portkey',
    title: `Portkey gateway ${versionOf(join(portkey, 'package.json'))}`,
    pid,
    stop,
    target: {
      origin: `http://127.0.0.1:${port}`,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${UPSTREAM_KEY}`,
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `${upstream}/v1`,
      },
    },
  }
}

function versionOf(packageJson: string): string {
  return (JSON.parse(readFileSync(packageJson, 'utf8')) as { version: string }).version
}

/** A port that was free a moment ago: Portkey takes 0 for a port and does not say which it got. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
