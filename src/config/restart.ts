import { toCanonicalJson } from './hash.ts'
import { type Path, renderPath } from './problem.ts'
import type { Config } from './schema/config-schema.ts'
import { valueAt } from './tree.ts'

/** What is bound once, when the process starts: a socket, the stores, and what was encrypted with a key. */
const NEEDS_RESTART: readonly Path[] = [
  ['server', 'host'],
  ['server', 'port'],
  ['storage', 'database'],
  ['storage', 'redis'],
  ['storage', 'dataDir'],
  ['storage', 'masterKey'],
]

/** @returns the paths that differ and that a running gateway cannot take up: `server.port` */
export function restartNeeded(before: Config, after: Config): string[] {
  return NEEDS_RESTART.filter(
    (path) =>
      toCanonicalJson(valueAt(before, path), 'reveal') !== toCanonicalJson(valueAt(after, path), 'reveal'),
  ).map(renderPath)
}
