import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import { createExcerpts } from './excerpts.ts'
import type { Path, Problem } from './problem.ts'
import { renderPath } from './problem.ts'

/** A configuration is written by hand; more than this is a mistake, or an attempt to fill the memory. */
export const CONFIG_CHARACTERS_MAX = 4 * 1024 * 1024
/** Every later error would follow from these. */
const SYNTAX_PROBLEMS_MAX = 20
const TOP: Range = { start: 0, end: 1 }

/** A file that was read, with the place of everything in it. */
export interface ConfigSource {
  readonly file: string
  /** What the file says; `undefined` where nothing could be made of it. */
  readonly tree: unknown
  /** Whether `tree` is what was meant in spite of syntax problems: a key that stands twice hides nothing else. */
  readonly isReadable: boolean
  /** @returns what is wrong with its syntax */
  syntaxProblems(): readonly Problem[]
  /** From now on the values of these paths are shown as asterisks. */
  hide(paths: readonly Path[]): void
  /** @returns a problem at the key or the value of `path`, or at the nearest thing around it that exists */
  problemAt(path: Path, part: 'key' | 'value', message: string): Problem
  /** @returns the line of `path`, from 1; `undefined` where nothing stands there */
  lineOf(path: Path): number | undefined
}

interface Range {
  readonly start: number
  readonly end: number
}

interface Fault extends Range {
  readonly message: string
  readonly isFatal: boolean
}

/**
 * Reads YAML 1.2, of which JSON is a part, so one parser gives positions for both.
 *
 * @param file the name used in messages
 */
export function parseSource(file: string, text: string): ConfigSource {
  if (text.length > CONFIG_CHARACTERS_MAX) return tooLarge(file)
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, stringKeys: true })
  const { tree, faults } = toTree(document)
  const excerpts = createExcerpts(text)

  const problemIn = (range: Range, path: string, message: string): Problem => {
    const { line, col } = counter.linePos(Math.min(range.start, text.length))
    const excerpt = excerpts.at(line, col, range.end - range.start)
    return { path, message, file, line, column: col, excerpt }
  }

  return {
    file,
    tree,
    isReadable: !faults.some(({ isFatal }) => isFatal),
    syntaxProblems: () =>
      faults.slice(0, SYNTAX_PROBLEMS_MAX).map((fault) => problemIn(fault, '', fault.message)),
    hide: (paths) => excerpts.hide(paths.flatMap((path) => findExact(document, path, 'value') ?? [])),
    problemAt(path, part, message) {
      const range = find(document, path, part) ?? TOP
      return problemIn(range, renderPath(path), message)
    },
    lineOf(path) {
      const range = path.length === 0 ? undefined : findExact(document, path, 'value')
      return range === undefined ? undefined : counter.linePos(range.start).line
    },
  }
}

function tooLarge(file: string): ConfigSource {
  const problem: Problem = { path: '', message: `is larger than ${CONFIG_CHARACTERS_MAX} characters`, file }
  return {
    file,
    tree: undefined,
    isReadable: false,
    syntaxProblems: () => [problem],
    hide: () => {},
    problemAt: () => problem,
    lineOf: () => undefined,
  }
}

function toTree(document: Document.Parsed): { tree: unknown; faults: Fault[] } {
  const faults = [...document.errors, ...document.warnings].map(
    ({ code, message, pos }): Fault => ({
      start: pos[0],
      end: pos[1],
      message: syntaxMessage(code, message),
      isFatal: code !== 'DUPLICATE_KEY' && code !== 'TAG_RESOLVE_FAILED',
    }),
  )
  visit(document, {
    // JavaScript would take it for the ancestor of the map, not for a key.
    Pair: (_key, { key }) => {
      if (!isScalar(key) || key.value !== '__proto__') return
      faults.push({ ...(toRange(key) ?? TOP), message: 'this name cannot be used', isFatal: true })
    },
  })
  if (faults.some(({ isFatal }) => isFatal)) return { tree: undefined, faults }
  try {
    return { tree: document.toJS(), faults }
  } catch (cause) {
    // An alias without its anchor, or aliases within aliases that would grow without bound.
    const message = cause instanceof Error ? cause.message : String(cause)
    return { tree: undefined, faults: [...faults, { ...unresolvedAlias(document), message, isFatal: true }] }
  }
}

function unresolvedAlias(document: Document.Parsed): Range {
  let range = TOP
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return undefined
      range = toRange(alias) ?? range
      return visit.BREAK
    },
  })
  return range
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'this key stands here twice'
  if (code === 'MULTIPLE_DOCS') return 'the file holds several documents; one is read'
  return message.split('\n')[0] ?? message
}

/** The place of `path`, else of what is nearest around it. */
function find(document: Document.Parsed, path: Path, part: 'key' | 'value'): Range | undefined {
  for (let length = path.length; length > 0; length--) {
    const range = findExact(document, path.slice(0, length), length < path.length ? 'key' : part)
    if (range !== undefined) return range
  }
  return toRange(document.contents)
}

function findExact(document: Document.Parsed, path: Path, part: 'key' | 'value'): Range | undefined {
  let node: unknown = document.contents
  let key: unknown
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      )
      if (pair === undefined) return undefined
      key = pair.key
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      key = node
      if (node === undefined) return undefined
    } else return undefined
  }
  // A key without a value has none to point at.
  return (part === 'value' && !isNothing(node) ? toRange(node) : undefined) ?? toRange(key)
}

function isNothing(node: unknown): boolean {
  return isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1]
}

function toRange(node: unknown): Range | undefined {
  const range = (node as Node | null | undefined)?.range
  if (range === null || range === undefined) return undefined
  return { start: range[0], end: Math.max(range[1], range[0] + 1) }
}
