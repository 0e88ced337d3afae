import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, secondsSince } from './run.mjs'

/** The oldest Node.js that the server itself runs on, as `engines` in package.json says. */
const RUNTIME_MIN = [22, 19]

/**
 * @param {string} root
 * @returns {boolean} whether node_modules holds what package-lock.json asks for, by the list that npm leaves there
 *   after a complete installation
 */
export function isInstalled(root) {
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === undefined || present === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link === true || !path.startsWith('node_modules/')) return true
    const found = present[path]
    // Packages for other systems are optional, and npm leaves them out.
    return found === undefined
      ? entry.optional === true || entry.devOptional === true
      : found.version === entry.version
  })
}

/**
 * @param {string} root
 * @throws {Error} with one sentence for people
 */
export async function install(root) {
  const startedMs = performance.now()
  console.log('Installing packages; the first time this takes about a minute …')
  // NODE_ENV=production would leave out what builds the server. Warnings would only be about the Node.js that runs
  // npm, which is not the one that runs the server; errors have to be seen even under `npm --silent`.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const { code } = npm?.endsWith('.js')
    ? await run(root, process.execPath, [npm, ...args])
    : await run(root, 'npm', args)
  if (code !== 0) throw new Error('The packages could not be installed: npm says above why.')
  console.log(`Installed in ${secondsSince(startedMs)}.`)
}

/**
 * @param {string} root
 * @returns {string} the Node.js to run the server and its tools with: the one that the packages bring, else this one
 * @throws {Error} with one sentence for people, where neither will do
 */
export function runtime(root) {
  const brought = join(
    root,
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  )
  if (existsSync(brought)) return brought
  if (isNewEnough()) return process.execPath
  throw new Error(
    `Node.js ${process.versions.node} is too old for the server, and the newer one among the packages is missing ` +
      'because npm was told not to run install scripts: run `npm rebuild node --ignore-scripts=false`, ' +
      `or use Node.js ${RUNTIME_MIN.join('.')} or newer.`,
  )
}

/** @returns {boolean} whether the Node.js that runs this could run the server */
export function isNewEnough() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > RUNTIME_MIN[0] || (major === RUNTIME_MIN[0] && minor >= RUNTIME_MIN[1])
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}
