import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'

const BINARIES = '/usr/lib/postgresql'
const ANSWER_MS_MAX = 20_000

export interface Service {
  readonly url: string
  stop(): Promise<void>
}

/** @returns the folder of the newest installed PostgreSQL from 15 on; `undefined` where there is none */
export function findPostgres(): string | undefined {
  if (!existsSync(BINARIES)) return undefined
  return readdirSync(BINARIES)
    .filter((version) => Number(version) >= 15)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(BINARIES, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

/**
 * Starts a private PostgreSQL on a free port of the loopback address, in a temporary folder, without fsync: for
 * tests, fast and gone afterwards.
 *
 * @returns `undefined` where PostgreSQL 15 or later is not installed
 */
export async function startPostgres(): Promise<Service | undefined> {
  const binaries = findPostgres()
  if (binaries === undefined) return undefined
  const owner = ownerOfFiles()
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-postgres-'))
  if (owner !== undefined) {
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'data'), { mode: 0o700 })
    chownSync(join(folder, 'data'), owner.uid, owner.gid)
  }
  const data = join(folder, 'data')
  await promisify(execFile)(
    join(binaries, 'initdb'),
    [
      '--pgdata',
      data,
      '--username',
      'postgres',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--locale',
      'C',
      '--no-sync',
    ],
    { ...owner, cwd: '/' },
  )
  const port = await freePort()
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'max_connections=200',
    'timezone=Asia/Kathmandu',
  ]
  const server = spawn(
    join(binaries, 'postgres'),
    ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    { ...owner, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await untilReady(server)
  // A stopped test run must not leave a server behind.
  const kill = () => server.kill('SIGQUIT')
  process.once('exit', kill)
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      process.off('exit', kill)
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root; then the user `postgres`, or `nobody`, runs it. */
function ownerOfFiles(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const user = users.find(([login]) => login === name)
    if (user !== undefined) return { uid: Number(user[2]), gid: Number(user[3]) }
  }
  throw new Error('No user but root is there to run PostgreSQL.')
}

function untilReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = () => reject(new Error(`PostgreSQL did not start:\n${output}`))
    const timer = setTimeout(fail, ANSWER_MS_MAX)
    server.once('exit', fail)
    server.once('error', fail)
    server.stderr?.on('data', (chunk: Buffer) => {
      if (output.includes('ready to accept connections')) return
      output += chunk
      if (!output.includes('ready to accept connections')) return
      clearTimeout(timer)
      server.off('exit', fail)
      resolve()
    })
  })
}
