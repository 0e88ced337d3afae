import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runtime } from './packages.mjs'
import { prepareBuild, prepareInstallation } from './prepare.mjs'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

const root = dirname(dirname(fileURLToPath(import.meta.url)))

try {
  await prepareInstallation(root)
  await prepareBuild(root)
  serve(process.argv.slice(2))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

/** The server gets our terminal and our signals, and we end as it ends. */
function serve(args) {
  const server = spawn(runtime(root), [join(root, 'dist/cli/main.js'), 'serve', ...args], {
    stdio: 'inherit',
  })
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // A terminal sends what is typed to every process in it: the server has it already.
      const isTyped = process.stdin.isTTY === true && (signal === 'SIGINT' || signal === 'SIGQUIT')
      if (!isTyped) server.kill(signal)
    })
  }
  endWithNpm(() => server.kill('SIGTERM'))
  server.on('error', (error) => {
    console.error(`The server could not be started: ${error.message}`)
    process.exitCode = 1
  })
  server.on('exit', (code, signal) => {
    // A shell reports a death by signal as 128 and its number.
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0))
  })
}

/**
 * npm hands a SIGTERM to the shell that it started us with, and the shell ends without handing it on; a killed npm
 * leaves even the shell behind. Nobody would stop the server. Without npm in between, losing the parent means nothing.
 */
function endWithNpm(stop) {
  if (process.env.npm_lifecycle_event === undefined) return
  const starters = ancestors()
  const watch = setInterval(() => {
    if (ancestors() === starters) return
    clearInterval(watch)
    stop()
  }, 250)
}

/** The shell and, where the system tells (Linux), the npm above it. */
function ancestors() {
  const parent = process.ppid
  try {
    const status = readFileSync(`/proc/${parent}/status`, 'utf8')
    return `${parent} ${/^PPid:\s*(\d+)/m.exec(status)?.[1]}`
  } catch {
    return `${parent}`
  }
}
