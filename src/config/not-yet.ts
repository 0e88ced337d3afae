import type { Finding, Path } from './problem.ts'
import { isMap } from './tree.ts'

/**
 * Keys that are checked already and take effect with a later version: whoever sets one is told, since a limit that is
 * believed to hold and does not is worse than none.
 */
const SECTIONS: readonly Path[] = [['safety'], ['cache'], ['content'], ['telemetry']]
const OF_ROUTES = ['hedgeAfterMs', 'timeouts', 'shadow', 'cache'] as const
const OF_PROVIDERS = ['totalTimeoutMs'] as const
const OF_TASKS = ['cache', 'compress'] as const

/** @returns a finding for each such key that somebody set */
export function findNotYet(tree: unknown): Finding[] {
  const set = [
    ...SECTIONS.filter((path) => has(tree, path)),
    ...inEach(tree, 'models', OF_ROUTES),
    ...continuing(tree),
    ...inEach(tree, 'providers', OF_PROVIDERS),
    ...inEach(tree, 'tasks', OF_TASKS),
  ]
  return set.map((path) => ({
    path,
    part: 'key',
    message: 'is accepted and checked, but not in force in this version',
  }))
}

function has(tree: unknown, path: Path): boolean {
  let value = tree
  for (const name of path) {
    if (!isMap(value) || !Object.hasOwn(value, name)) return false
    value = value[name]
  }
  return value !== undefined
}

function inEach(tree: unknown, section: string, keys: readonly string[]): Path[] {
  const rows = isMap(tree) ? tree[section] : undefined
  if (!isMap(rows)) return []
  return Object.entries(rows).flatMap(([name, row]) =>
    isMap(row) ? keys.filter((key) => Object.hasOwn(row, key)).map((key) => [section, name, key]) : [],
  )
}

/** Routes whose streams another target is to continue. */
function continuing(tree: unknown): Path[] {
  const routes = isMap(tree) ? tree.models : undefined
  if (!isMap(routes)) return []
  return Object.entries(routes).flatMap(([name, route]) =>
    isMap(route) && route.afterFirstToken === 'continue' ? [['models', name, 'afterFirstToken']] : [],
  )
}
