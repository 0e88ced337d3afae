import type { Path } from './problem.ts'

/** Configuration before it is typed: what YAML and JSON can say. */
export type Tree = unknown
export type TreeMap = Readonly<Record<string, unknown>>

export function isMap(value: unknown): value is TreeMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the value at `path`, or `undefined` where nothing stands there */
export function valueAt(tree: Tree, path: Path): unknown {
  let value = tree
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)]
    else if (isMap(value) && Object.hasOwn(value, part)) value = value[part]
    else return undefined
  }
  return value
}

/** @returns a copy with `value` at `path`; unchanged where something on the way is no map */
export function withValueAt(tree: Tree, path: Path, value: unknown): Tree {
  const [first, ...rest] = path
  if (first === undefined) return value
  if (tree !== undefined && !isMap(tree)) return tree
  return { ...tree, [first]: withValueAt(tree?.[first], rest, value) }
}

/** @returns a copy in which every text was replaced by what `replace` made of it */
export function mapTexts(tree: Tree, replace: (text: string, path: Path) => unknown, path: Path = []): Tree {
  if (typeof tree === 'string') return replace(tree, path)
  if (Array.isArray(tree)) return tree.map((item, index) => mapTexts(item, replace, [...path, index]))
  if (!isMap(tree)) return tree
  const entries = Object.entries(tree).map(([key, value]) => [key, mapTexts(value, replace, [...path, key])])
  return Object.fromEntries(entries)
}

/** @returns a text that is equal for equal paths and for no others */
export function pathKey(path: Path): string {
  return JSON.stringify(path.map(String))
}
