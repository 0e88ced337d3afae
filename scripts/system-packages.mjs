import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './run.mjs'

/**
 * Programs that tests run against, beside what npm installs. `variable` names a server of one's own in place of the
 * program; `packages` are Debian's.
 */
const NEEDS = [
  {
    name: 'PostgreSQL',
    variable: 'TEST_DATABASE_URL',
    isThere: () => isOnPath('initdb', 'postgres') || debianPostgres(),
    packages: ['postgresql'],
  },
  {
    name: 'Redis',
    variable: 'TEST_REDIS_URL',
    isThere: () => isOnPath('redis-server') || isOnPath('valkey-server'),
    packages: ['redis-server'],
  },
]

/**
 * Installs the programs that are missing, where this is root on a Debian-like system.
 *
 * @param {string} root
 * @throws {Error} with one sentence for people that says what to install
 */
export async function prepareSystem(root) {
  const missing = missingNeeds()
  if (missing.length === 0) return
  const packages = missing.flatMap((need) => need.packages)
  if (process.getuid?.() === 0 && isOnPath('apt-get')) {
    console.log(`Installing ${packages.join(', ')} …`)
    // A mirror that fails once is common; one that fails twice is a finding.
    if ((await aptInstall(root, packages)) !== 0) await aptInstall(root, packages)
  }
  const still = missingNeeds()
  if (still.length === 0) return
  const names = still.map((need) => need.name).join(' and ')
  const debian = still.flatMap((need) => need.packages).join(' ')
  const variables = still.map((need) => need.variable).join(' and ')
  throw new Error(
    `The tests need ${names}: install them (on Debian or Ubuntu: apt-get install ${debian}), ` +
      `or point ${variables} at servers that may be written to.`,
  )
}

function missingNeeds() {
  return NEEDS.filter((need) => !process.env[need.variable] && !need.isThere())
}

async function aptInstall(root, packages) {
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' } }
  const update = await run(root, 'apt-get', ['update', '-q'], options)
  if (update.code !== 0) return update.code
  const args = ['install', '-y', '-q', '--no-install-recommends', ...packages]
  return (await run(root, 'apt-get', args, options)).code
}

function isOnPath(...programs) {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return programs.every((program) => folders.some((folder) => existsSync(join(folder, program))))
}

/** Debian keeps the server's programs of each version away from the path. */
function debianPostgres() {
  const versions = '/usr/lib/postgresql'
  if (!existsSync(versions)) return false
  return readdirSync(versions).some((version) => existsSync(join(versions, version, 'bin', 'initdb')))
}
