import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5000
/** What is kept of a child's output, to be shown when it fails. */
const OUTPUT_LENGTH_MAX = 8000

/** A process that this one started, and that it ends. */
export interface Child {
  readonly pid: number
  /** Asks it to end, and ends it by its id where it does not. */
  stop(): Promise<void>
}

/** A file of this folder in a process of its own, which answers orders. */
export interface Worker extends Child {
  /** What it announced when it was ready. */
  readonly facts: Readonly<Record<string, unknown>>
  order<Answer>(order: object, timeoutMs: number): Promise<Answer>
}

interface Message {
  readonly id: number
  readonly answer?: unknown
  readonly error?: string
}

/** @returns once the worker is ready for orders */
export async function startWorker(file: string, args: readonly string[] = []): Promise<Worker> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = fork(path, args, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const waiting = new Map<number, (message: Message) => void>()
  let lastId = 0
  child.on('message', (message: Message) => waiting.get(message.id)?.(message))
  child.on('exit', () => {
    for (const [id, answer] of waiting) answer({ id, error: `${file} ended before it answered` })
  })

  function answerTo(id: number, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => waiting.get(id)?.({ id, error: `${file} did not answer within ${timeoutMs} ms` }),
        timeoutMs,
      )
      waiting.set(id, ({ answer, error }) => {
        clearTimeout(timer)
        waiting.delete(id)
        if (error === undefined) resolve(answer)
        else reject(new Error(error))
      })
    })
  }

  const facts = (await answerTo(0, START_TIMEOUT_MS)) as Readonly<Record<string, unknown>>
  return {
    pid: pidOf(child),
    facts,
    async order<Answer>(order: object, timeoutMs: number) {
      lastId++
      const answer = answerTo(lastId, timeoutMs)
      child.send({ id: lastId, order })
      return (await answer) as Answer
    },
    stop: () => stop(child),
  }
}

/** A program that says on its output when it is ready. */
export interface ProgramOptions {
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** @returns what was to be known from the output so far, or `undefined` while it does not say it */
  readonly readyWhen: (output: string) => Readonly<Record<string, string>> | undefined
}

export interface Program extends Child {
  readonly facts: Readonly<Record<string, string>>
}

/**
 * Starts a program of this very Node.js.
 *
 * @throws Error with the end of its output where it ends, or is not ready in time
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { args, cwd, env, readyWhen } = options
  // Nothing of our own environment but the path: a key or a proxy that is set here must not change what is measured.
  const child = spawn(process.execPath, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: cwd, TMPDIR: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  try {
    const facts = await new Promise<Readonly<Record<string, string>>>((resolve, reject) => {
      const fail = (reason: string) => reject(new Error(`${args.join(' ')} ${reason}:\n${output}`))
      const timer = setTimeout(() => fail('was not ready in time'), START_TIMEOUT_MS)
      const read = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-OUTPUT_LENGTH_MAX)
        const ready = readyWhen(output)
        if (ready === undefined) return
        clearTimeout(timer)
        resolve(ready)
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      child.on('error', (error) => fail(error.message))
      child.on('exit', (code) => {
        clearTimeout(timer)
        fail(`ended with code ${code}`)
      })
    })
    return { pid: pidOf(child), facts, stop: () => stop(child) }
  } catch (error) {
    await stop(child)
    throw error
  }
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('The process could not be started.')
  return child.pid
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await exited
  clearTimeout(timer)
}
