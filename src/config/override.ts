import type { Path } from './problem.ts'
import { withValueAt } from './tree.ts'

/** A value that was given outside the file and takes precedence over it. */
export interface Override {
  readonly path: Path
  readonly value: unknown
  /** Where it was given, for people: `environment GATEHOUSE_PORT`, `flag --port`. */
  readonly from: string
}

/** @returns the tree with every override in its place; a later one wins */
export function applyOverrides(tree: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce<unknown>((result, { path, value }) => withValueAt(result, path, value), tree)
}

/** @returns the override that gave the value at `path`, itself or as a part of what it gave */
export function overrideAt(overrides: readonly Override[], path: Path): Override | undefined {
  return overrides.findLast(
    (one) => one.path.length <= path.length && one.path.every((part, i) => String(part) === String(path[i])),
  )
}
