import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isNewEnough, runtime } from './packages.mjs'
import { run, secondsSince } from './run.mjs'
import { hashSources, markBuilt } from './sources.mjs'

/** Files of dist that others name: the package's exports and command, and the worker of the embedded database. */
const ENTRIES = {
  index: 'src/index.ts',
  'cli/main': 'src/cli/main.ts',
  'storage/pglite-worker': 'src/storage/pglite-worker.ts',
}

/** Read at run time from beside the code that needs them. */
const COPIES = [
  { folder: 'storage/migrations', ending: '.sql' },
  { folder: 'http/assets', ending: '' },
]

const root = dirname(dirname(fileURLToPath(import.meta.url)))

try {
  if (isNewEnough()) await build()
  else {
    // The bundler needs a newer Node.js than people have to bring.
    const { code } = await run(root, runtime(root), [fileURLToPath(import.meta.url)])
    process.exitCode = code
  }
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

async function build() {
  const startedMs = performance.now()
  const hash = hashSources(root)
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  const [declarations] = await Promise.all([declare(), bundle()])
  if (declarations.code !== 0) {
    console.error(declarations.output)
    process.exitCode = 1
    return
  }
  renameImports(join(root, 'dist/types'))
  for (const { folder, ending } of COPIES) copy(folder, ending)
  chmodSync(join(root, 'dist/cli/main.js'), 0o755)
  markBuilt(root, hash)
  console.log(`Built in ${secondsSince(startedMs)}.`)
}

async function bundle() {
  const tsdown = await import('tsdown')
  await tsdown.build({
    cwd: root,
    config: false,
    entry: ENTRIES,
    outDir: 'dist',
    format: 'esm',
    platform: 'node',
    target: 'node22.19',
    clean: false,
    dts: false,
    exports: false,
    sourcemap: true,
    hash: true,
    deps: { neverBundle: true },
    outExtensions: () => ({ js: '.js' }),
    outputOptions: { chunkFileNames: 'chunks/[name]-[hash].js' },
    logLevel: 'warn',
  })
}

/** Types are checked elsewhere (`npm run types`); here they are only written down. */
function declare() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return run(root, process.execPath, [tsc, '-p', 'scripts/tsconfig.declarations.json'], { quiet: true })
}

/** The compiler leaves `./x.ts` in declarations; every version of it resolves `./x.js` to `x.d.ts`. */
function renameImports(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue
    const file = join(folder, name)
    const text = readFileSync(file, 'utf8')
    const renamed = text.replace(/((?:from |import |import\()['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2')
    if (renamed !== text) writeFileSync(file, renamed)
  }
}

function copy(folder, ending) {
  const from = join(root, 'src', folder)
  if (!existsSync(from)) return
  const to = join(root, 'dist', folder)
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    if (name.endsWith(ending)) cpSync(join(from, name), join(to, name), { recursive: true })
  }
}
