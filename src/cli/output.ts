import { CommanderError } from 'commander'
import { ConfigError } from '../config/problem.ts'
import { GatewayError } from '../core/errors.ts'

/** Exit codes of every command. */
export const EXIT = { success: 0, problem: 1, usage: 2 } as const

/** What a command has to say: for people, or for `--json`. */
export interface Output {
  readonly text: string
  readonly json: unknown
  readonly exitCode: number
}

export function print(output: Output, asJson: boolean): void {
  process.stdout.write(
    asJson ? `${JSON.stringify(output.json, null, 2)}\n` : `${output.text.replace(/\n$/, '')}\n`,
  )
  process.exitCode = output.exitCode
}

/** @returns the exit code for an error, after telling it in a sentence; the rest is for our own defects */
export function fail(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`)
    return EXIT.usage
  }
  if (error instanceof GatewayError) {
    process.stderr.write(`${error.message}\n`)
    return error.code === 'invalid_request' ? EXIT.usage : EXIT.problem
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return EXIT.problem
}

/** @returns rows under their headings, columns aligned */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(headings), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n')
}
