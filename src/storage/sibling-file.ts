import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * Finds a file that stands beside this folder's modules, where they run from source, as single files in
 * `dist/storage/`, or joined into a file of `dist/`.
 *
 * @param names paths relative to `src/storage/`, the first that exists is taken
 * @throws Error when the installation lacks all of them
 */
export function siblingFile(names: readonly string[]): URL {
  for (const name of names) {
    for (const folder of ['./', './storage/', '../storage/']) {
      const url = new URL(folder + name, import.meta.url)
      if (existsSync(fileURLToPath(url))) return url
    }
  }
  throw new Error(`The installation is incomplete: ${names.join(' or ')} is missing.`)
}
