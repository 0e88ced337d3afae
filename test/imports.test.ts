import { globSync, readFileSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { describe, expect, it } from 'vitest'

/** One import of one file by another, or of a package. */
interface Import {
  readonly from: string
  /** Path from the project's root, or the package's name. */
  readonly to: string
  /** Gone after compilation. */
  readonly typeOnly: boolean
}

/** `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`. Clauses hold no quotes, so none is met on the way. */
const STATEMENT =
  /^(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s*'([^']+)'|^import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm

const ROOT = new URL('..', import.meta.url)
const FILES = globSync('src/**/*.ts', { cwd: ROOT })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !path.endsWith('.test.ts') && !/\/(fixtures|conformance)[/.]/.test(path))
  .sort()
const IMPORTS = FILES.flatMap((path) => importsOf(path, readFileSync(new URL(path, ROOT), 'utf8')))
const INTERNAL = IMPORTS.filter(({ to }) => to.startsWith('src/'))

function importsOf(path: string, text: string): Import[] {
  return [...text.matchAll(STATEMENT)].map(([, type, named, bare, dynamic]) => {
    const target = named ?? bare ?? dynamic ?? ''
    const isPath = target.startsWith('.')
    return {
      from: path,
      to: isPath ? posix.join(dirname(path), target) : target,
      typeOnly: type !== undefined,
    }
  })
}

/** `identity` for `src/identity/key-ring.ts`; the file's own name for one that lies in `src` itself. */
function moduleOf(path: string): string {
  return path.split('/')[1] ?? ''
}

const FOUNDATION = ['core', 'contract', 'pipeline']
const FEATURES = ['alerts', 'identity', 'ledger', 'limits', 'resources']
/** What stands beside the features, and what each may import besides the foundation. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  providers: [],
  routing: ['providers'],
  simulator: [],
  config: [],
  // Types alone; see the tests below.
  storage: [...FEATURES, 'routing'],
  telemetry: [...FEATURES, 'routing'],
}
const JOINED = ['version.ts', ...FOUNDATION, ...FEATURES, ...Object.keys(BESIDE)]

/** What a module may import beside itself: the direction of style.md, from the right to the left. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'version.ts': [],
  core: [],
  contract: ['core'],
  pipeline: ['contract', 'core'],
  ...Object.fromEntries(FEATURES.map((feature) => [feature, FOUNDATION])),
  ...Object.fromEntries(Object.entries(BESIDE).map(([name, more]) => [name, [...FOUNDATION, ...more]])),
  wiring: JOINED,
  'gateway.ts': [...JOINED, 'wiring'],
  http: [...JOINED, 'gateway.ts'],
  library: [...JOINED, 'gateway.ts'],
  cli: [...JOINED, 'gateway.ts', 'http'],
  'index.ts': [...JOINED, 'gateway.ts', 'library'],
}

function show({ from, to, typeOnly }: Import): string {
  return `${from} -> ${to}${typeOnly ? ' (types)' : ''}`
}

describe('importsOf()', () => {
  it('finds every way to name another module', () => {
    const text = [
      "import { a } from './a.ts'",
      "import type { B } from '../b.ts'",
      "import {\n  c,\n  type D,\n} from './c.ts'",
      "export { e } from './e.ts'",
      "export type { F } from './f.ts'",
      "export * from './g.ts'",
      "import './h.ts'",
      "const i = await import('./i.ts')",
      "import fastify from 'fastify'",
      "const text = 'no import'",
    ].join('\n')
    expect(importsOf('src/x/y.ts', text).map(show)).toEqual([
      'src/x/y.ts -> src/x/a.ts',
      'src/x/y.ts -> src/b.ts (types)',
      'src/x/y.ts -> src/x/c.ts',
      'src/x/y.ts -> src/x/e.ts',
      'src/x/y.ts -> src/x/f.ts (types)',
      'src/x/y.ts -> src/x/g.ts',
      'src/x/y.ts -> src/x/h.ts',
      'src/x/y.ts -> src/x/i.ts',
      'src/x/y.ts -> fastify',
    ])
  })

  it('reads the sources as they are', () => {
    expect(INTERNAL.length).toBeGreaterThan(500)
    const known = new Set(FILES)
    expect(INTERNAL.filter(({ to }) => !known.has(to)).map(show)).toEqual([])
  })
})

describe('imports', () => {
  it('point from the edge to the core', () => {
    const wrong = INTERNAL.filter(({ from, to }) => {
      const module = moduleOf(from)
      const target = moduleOf(to)
      return module !== target && ALLOWED[module]?.includes(target) !== true
    })
    expect(wrong.map(show)).toEqual([])
  })

  it('are ruled for every folder', () => {
    const modules = new Set(FILES.map(moduleOf))
    expect([...modules].filter((module) => ALLOWED[module] === undefined)).toEqual([])
  })

  it('form no circle between files', () => {
    expect(circlesOf(INTERNAL)).toEqual([])
    const circle = [
      { from: 'a', to: 'b', typeOnly: false },
      { from: 'b', to: 'c', typeOnly: true },
      { from: 'c', to: 'b', typeOnly: false },
      { from: 'c', to: 'd', typeOnly: false },
    ]
    expect(circlesOf(circle)).toEqual(['b -> c -> b'])
  })

  it('join a feature to nothing but what its ports.ts says', () => {
    const wrong = INTERNAL.filter(
      ({ from, to, typeOnly }) =>
        moduleOf(from) === 'storage' &&
        [...FEATURES, 'routing'].includes(moduleOf(to)) &&
        !(typeOnly && to.endsWith('/ports.ts')),
    )
    expect(wrong.map(show)).toEqual([])
  })

  it('let telemetry know of others by their types alone', () => {
    const wrong = INTERNAL.filter(
      ({ from, to, typeOnly }) =>
        moduleOf(from) === 'telemetry' && !['telemetry', ...FOUNDATION].includes(moduleOf(to)) && !typeOnly,
    )
    expect(wrong.map(show)).toEqual([])
  })

  it('keep the web framework at the edge and the commands in cli', () => {
    const wrong = IMPORTS.filter(
      ({ from, to }) =>
        (/^(@fastify\/|fastify)/.test(to) && moduleOf(from) !== 'http') ||
        (to === 'commander' && moduleOf(from) !== 'cli'),
    )
    expect(wrong.map(show)).toEqual([])
  })

  it('name files with their endings', () => {
    const wrong = IMPORTS.filter(({ to }) => to.startsWith('src/') && !to.endsWith('.ts'))
    expect(wrong.map(show)).toEqual([])
  })
})

describe('the environment', () => {
  it('is read by src/config alone', () => {
    const readers = FILES.filter((path) =>
      /\bprocess\s*\.\s*env\b|\benv\b[^'"\n]*\bfrom 'node:process'/.test(
        readFileSync(new URL(path, ROOT), 'utf8'),
      ),
    )
    expect(readers.filter((path) => moduleOf(path) !== 'config')).toEqual([])
    expect(readers).not.toEqual([])
  })
})

/** @returns every circle that a walk along the imports runs into, one for each import that closes one */
function circlesOf(imports: readonly Import[]): readonly string[] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to])
  const circles: string[] = []
  const done = new Set<string>()
  const path: string[] = []
  function visit(file: string): void {
    const start = path.indexOf(file)
    if (start >= 0) circles.push([...path.slice(start), file].join(' -> '))
    if (start >= 0 || done.has(file)) return
    path.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of targets.keys()) visit(file)
  return circles
}
