import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Service } from './postgres.ts'

const BINARIES = ['redis-server', 'valkey-server']
const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
const ANSWER_MS_MAX = 10_000

/**
 * Starts a private Redis (or Valkey) on a free port of the loopback address, which keeps nothing on disk.
 *
 * @returns `undefined` where neither is installed
 */
export async function startRedis(): Promise<Service | undefined> {
  const binary = FOLDERS.flatMap((folder) => BINARIES.map((name) => join(folder, name))).find(existsSync)
  if (binary === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-redis-'))
  const port = await freePort()
  const server = spawn(
    binary,
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  await new Promise<void>((resolve, reject) => {
    let output = ''
    const fail = () => reject(new Error(`Redis did not start:\n${output}`))
    const timer = setTimeout(fail, ANSWER_MS_MAX)
    server.once('exit', fail)
    server.once('error', fail)
    server.stdout.on('data', (chunk: Buffer) => {
      output += chunk
      if (!/ready to accept connections/i.test(output)) return
      output = ''
      clearTimeout(timer)
      server.off('exit', fail)
      resolve()
    })
  })
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      process.off('exit', kill)
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
