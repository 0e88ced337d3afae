import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'

const BINARIES = [
  '/usr/bin/redis-server',
  '/usr/bin/valkey-server',
  '/usr/local/bin/redis-server',
  '/usr/local/bin/valkey-server',
  '/opt/homebrew/bin/redis-server',
  '/opt/homebrew/bin/valkey-server',
]
const START_MS_MAX = 10_000

/** A Redis that a test may stop, freeze and start again; it keeps its port and what it wrote with `SAVE`. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  start(): Promise<void>
  /** As `kill -9` does. */
  kill(): Promise<void>
  /** Stops answering without closing a connection. */
  freeze(): void
  thaw(): void
  remove(): Promise<void>
}

/** @returns `undefined` where none is installed */
export async function launchRedis(args: readonly string[] = []): Promise<RedisServer | undefined> {
  const binary = BINARIES.find((path) => existsSync(path))
  if (binary === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const killNow = () => child?.kill('SIGKILL')
  process.once('exit', killNow)

  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    async start() {
      const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...args]
      const started = spawn(binary, settings, { stdio: ['ignore', 'pipe', 'ignore'] })
      child = started
      await new Promise<void>((resolve, reject) => {
        let output = ''
        const fail = () => reject(new Error(`Redis did not start:\n${output}`))
        const timer = setTimeout(fail, START_MS_MAX)
        started.once('exit', fail)
        started.stdout.on('data', (chunk: Buffer) => {
          output = (output + chunk).slice(-10_000)
          if (!/ready to accept connections/i.test(output)) return
          clearTimeout(timer)
          started.off('exit', fail)
          resolve()
        })
      })
    },
    async kill() {
      const running = child
      child = undefined
      if (running === undefined) return
      const ended = new Promise((resolve) => running.once('exit', resolve))
      running.kill('SIGKILL')
      await ended
    },
    freeze() {
      child?.kill('SIGSTOP')
    },
    thaw() {
      child?.kill('SIGCONT')
    },
    async remove() {
      process.off('exit', killNow)
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}
