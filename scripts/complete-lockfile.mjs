// Adds to package-lock.json the optional packages of other platforms that npm left out, because the registry it was
// written against did not have them: `npm ci` refuses a lockfile that lacks one. Run it after `npm install`.
//
//     node scripts/complete-lockfile.mjs
import { readFileSync, writeFileSync } from 'node:fs'

const FILE = new URL('../package-lock.json', import.meta.url)
const SYSTEMS = [
  'android',
  'darwin',
  'freebsd',
  'openbsd',
  'netbsd',
  'sunos',
  'win32',
  'openharmony',
  'aix',
  'linux',
]
const PROCESSORS = [
  'arm64',
  'x64',
  'ia32',
  'ppc64',
  'riscv64',
  's390x',
  'loong64',
  'mips64el',
  'wasm32',
  'arm',
]

const lock = JSON.parse(readFileSync(FILE, 'utf8'))
const { packages } = lock
const added = []
for (const [path, row] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(row.optionalDependencies ?? {})) {
    if (isInstalled(path, name)) continue
    if (!/^\d[\w.+-]*$/.test(version))
      throw new Error(`${path} asks for ${name} ${version}: no exact version`)
    packages[`node_modules/${name}`] = {
      version,
      ...platformOf(name),
      ...(row.dev ? { dev: true } : {}),
      optional: true,
    }
    added.push(`${name}@${version}`)
  }
}
const { '': root, ...others } = packages
const sorted = Object.fromEntries(
  Object.entries(others).sort(([first], [second]) => (first < second ? -1 : 1)),
)
lock.packages = { '': root, ...sorted }
if (added.length > 0) writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length === 0 ? 'The lockfile is complete.' : `Added ${added.join(', ')}.`)

/** Node looks for a package in each folder on the way up. */
function isInstalled(path, name) {
  for (let base = path; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    if (packages[`${base === '' ? '' : `${base}/`}node_modules/${name}`] !== undefined) return true
    if (base === '') return false
  }
}

/** Packages of this sort carry their platform in their name. */
function platformOf(name) {
  const last = name.slice(name.lastIndexOf('/') + 1)
  const os = SYSTEMS.find((system) => last.includes(system))
  const cpu = last.includes('universal')
    ? undefined
    : PROCESSORS.find((processor) => last.includes(processor))
  const libc = last.includes('musl') ? 'musl' : os === 'linux' && last.includes('gnu') ? 'glibc' : undefined
  return { ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }), ...(os && { os: [os] }) }
}
