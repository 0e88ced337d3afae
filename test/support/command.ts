import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** A `gatehouse` command in a process of its own. */
export interface RunningCommand {
  readonly process: ChildProcess
  /** Everything it has printed so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** @returns the first match in what it prints; rejects when the process ends without one */
  waitFor(pattern: RegExp, stream?: 'stdout' | 'stderr'): Promise<RegExpExecArray>
  /** @returns the exit code */
  readonly ended: Promise<number | null>
}

export interface CommandOptions {
  readonly cwd: string
  /** Beside `PATH`; nothing else of this process's environment reaches the command. */
  readonly env?: Readonly<Record<string, string>>
}

export function startCommand(words: readonly string[], { cwd, env }: CommandOptions): RunningCommand {
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8')
    child[name].on('data', (chunk: string) => {
      text[name] += chunk
    })
  }
  const ended = once(child, 'close').then(([code]: unknown[]) => code as number | null)
  return {
    process: child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ended,
    async waitFor(pattern, stream = 'stdout') {
      for (;;) {
        const match = pattern.exec(text[stream])
        if (match !== null) return match
        const next = await Promise.race([
          once(child[stream], 'data').then(() => true),
          ended.then(() => false),
        ])
        const last = pattern.exec(text[stream])
        if (last !== null) return last
        if (!next) throw new Error(`The command ended without ${pattern}:\n${text.stdout}\n${text.stderr}`)
      }
    },
  }
}

/** Runs a command to its end. */
export async function runCommand(
  words: readonly string[],
  options: CommandOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const command = startCommand(words, options)
  const code = await command.ended
  return { code, stdout: command.stdout(), stderr: command.stderr() }
}
