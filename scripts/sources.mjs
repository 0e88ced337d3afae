import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a build depends on, beside `src`. */
const OTHERS = [
  'package.json',
  'tsconfig.json',
  'scripts/build.mjs',
  'scripts/sources.mjs',
  'scripts/tsconfig.declarations.json',
]

/**
 * @param {string} root
 * @returns {string} a hash of everything a build is made from: by contents, because a checkout changes file times
 */
export function hashSources(root) {
  const hash = createHash('sha256')
  const add = (path) => {
    const bytes = readFileSync(join(root, path))
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  for (const path of filesBelow(root, 'src').sort()) add(path)
  for (const path of OTHERS) if (existsSync(join(root, path))) add(path)
  return hash.digest('hex')
}

/**
 * @param {string} root
 * @returns {boolean} whether dist was built from these very sources, to the end
 */
export function isBuilt(root) {
  try {
    return readFileSync(stampOf(root), 'utf8') === hashSources(root)
  } catch {
    return false
  }
}

/**
 * @param {string} root
 * @param {string} hash of the sources as they were when the build began
 */
export function markBuilt(root, hash) {
  writeFileSync(stampOf(root), hash)
}

function stampOf(root) {
  return join(root, 'dist', '.built-from')
}

/** Tests and what they read are no part of a build. */
function filesBelow(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'fixtures' ? [] : filesBelow(root, path)
    return entry.name.endsWith('.test.ts') ? [] : [path]
  })
}
