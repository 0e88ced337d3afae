import type { Excerpt } from './excerpts.ts'

/** Where a value stands: keys of maps and indexes of lists, from the top. */
export type Path = readonly (string | number)[]

/** What a check found, before anyone knows where it was written. */
export interface Finding {
  readonly path: Path
  /** Points at the key itself (it is unknown, or something in it is missing), or at its value. */
  readonly part: 'key' | 'value'
  /** What is wrong and how to mend it; never a secret. Follows the path in one sentence. */
  readonly message: string
}

/** A finding with its place. `line` and `column` count from 1. */
export interface Problem {
  /** As people write it, `models.chat.targets[0].provider`; empty where the whole file is meant. */
  readonly path: string
  readonly message: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** Where it was not written in the file: `environment GATEHOUSE_PORT`, `flag --port`. */
  readonly from?: string
  /** The line itself, secrets masked. */
  readonly excerpt?: Excerpt
}

/** More than these help nobody; the rest is counted. */
const SHOWN_MAX = 100

/** The configuration cannot be used; it says everything that is wrong with it, not only the first thing. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    const shown = problems.slice(0, SHOWN_MAX).map(renderProblem)
    if (problems.length > SHOWN_MAX) shown.push(`… and ${problems.length - SHOWN_MAX} more.`)
    super(shown.join('\n'))
    this.problems = problems
  }
}

/** @returns the problem as a compiler shows it: `file:line:column: path: message`, the line, a caret below */
export function renderProblem(problem: Problem): string {
  const heading = [placeOf(problem), problem.path, problem.message].filter((part) => part !== '').join(': ')
  if (problem.excerpt === undefined || problem.line === undefined) return heading
  const number = String(problem.line)
  const before = problem.excerpt.text.slice(0, problem.excerpt.caret)
  // Tabs stay tabs, so that the caret stands below its word however wide they are shown.
  const indent = before.replace(/[^\t]/g, ' ')
  const caret = '^'.repeat(problem.excerpt.width)
  return `${heading}\n  ${number} | ${problem.excerpt.text}\n  ${' '.repeat(number.length)} | ${indent}${caret}`
}

function placeOf(problem: Problem): string {
  if (problem.from !== undefined) return problem.from
  if (problem.file === undefined) return ''
  return problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`
}

/** @returns `models.chat.targets[0]`; a key that holds a dot or a blank stands in brackets and quotes */
export function renderPath(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (!/^[\w-]+$/.test(part)) text += `[${JSON.stringify(part)}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}
