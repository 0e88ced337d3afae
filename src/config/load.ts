import { createHash } from 'node:crypto'
import { readFile as readFileOfNode } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { checkNames, doubtNames } from './cross-checks.ts'
import { readEnvironment } from './environment.ts'
import type { Environment } from './environment-reading.ts'
import { deepFreeze } from './freeze.ts'
import { hashConfig } from './hash.ts'
import { issuesToFindings } from './issues.ts'
import { configJsonSchema } from './json-schema.ts'
import { findLiteralSecrets } from './literal-secrets.ts'
import { findNotYet } from './not-yet.ts'
import { type Origin, originOf } from './origin.ts'
import { applyOverrides, type Override, overrideAt } from './override.ts'
import { type ConfigSource, parseSource } from './positions.ts'
import { ConfigError, type Finding, type Path, type Problem, renderPath } from './problem.ts'
import { resolveReferences } from './references.ts'
import { type Config, configSchema } from './schema/config-schema.ts'
import type { SecretResolver } from './secrets/resolver.ts'
import { createResolvers } from './secrets/resolvers.ts'
import { isMap, pathKey } from './tree.ts'

export interface LoadOptions {
  /** Kinds of provider that can be served. */
  readonly knownKinds: readonly string[]
  /** Default: that of the process. This folder alone reads it. */
  readonly env?: Environment
  readonly cwd?: string
  readonly readFile?: (path: string) => Promise<string>
  /** What the command line says; wins over the environment. */
  readonly overrides?: readonly Override[]
  /** Default: those of `secrets/`. */
  readonly resolvers?: readonly SecretResolver[]
  readonly signal?: AbortSignal
  /**
   * Reads only these sections, as if the file had no others: a command that talks to a running gateway needs its
   * address, not its secrets.
   */
  readonly only?: readonly string[]
}

export interface LoadedConfig {
  readonly config: Config
  /** Of the configuration without its secrets. */
  readonly hash: string
  /** The file that was read, absolute; `undefined` where there is none. */
  readonly file: string | undefined
  /** Equal as long as the file is: its name and a hash of its text. */
  readonly fingerprint: string
  /** What is odd, but does not stand in the way. */
  readonly warnings: readonly Problem[]
  originOf(path: Path): Origin
}

/** Looked for in the working directory, in this order, where `GATEHOUSE_CONFIG` names none. */
export const CONFIG_FILE_NAMES = ['gatehouse.yaml', 'gatehouse.yml', 'gatehouse.json'] as const

/**
 * Reads the file, lays the environment over it, resolves references and checks all of it.
 *
 * @returns the configuration, complete and frozen
 * @throws ConfigError with every problem that was found, in the order of the file
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { cwd, env, readFile } = surroundings(options)
  const found = await readConfigFile(options)
  const shownName = found === undefined ? '' : displayName(found.file, cwd)
  const source = found === undefined ? undefined : parseSource(shownName, found.text)
  const fileTree = onlySections(sectionsOf(source?.tree), options.only)
  const literal = findLiteralSecrets(fileTree, configJsonSchema())
  source?.hide(literal.all)
  if (source?.isReadable === false) throw new ConfigError(source.syntaxProblems())

  const environment = readEnvironment(env, fileTree, options.knownKinds)
  const overrides = [...environment.overrides, ...(options.overrides ?? [])].filter(
    ({ path: [section] }) => options.only?.includes(String(section)) ?? true,
  )
  const resolved = await resolveReferences(fileTree, {
    env,
    readFile,
    file: found?.file ?? resolve(cwd, CONFIG_FILE_NAMES[0]),
    resolvers:
      options.resolvers ?? createResolvers({ env, fetch: globalThis.fetch, readFile, now: Date.now }),
    signal: options.signal ?? new AbortController().signal,
  })
  const tree = applyOverrides(resolved.tree, overrides)

  const locate = (finding: Finding) => toProblem(finding, source, overrides)
  const checked = check(tree, options.knownKinds, [...resolved.findings, ...literal.refused])
  const problems = [...(source?.syntaxProblems() ?? []), ...(checked.ok ? [] : checked.findings.map(locate))]
  if (!checked.ok || problems.length > 0) throw new ConfigError(inOrder(problems))
  return {
    config: checked.config,
    hash: hashConfig(checked.config),
    file: found?.file,
    fingerprint: fingerprintOf(found),
    warnings: [
      ...environment.warnings,
      ...inOrder([...literal.doubted, ...doubtNames(tree), ...findNotYet(tree)].map(locate)),
    ],
    originOf: (path) => originOf(path, source, overrides),
  }
}

function onlySections(tree: unknown, only: readonly string[] | undefined): unknown {
  if (only === undefined || !isMap(tree)) return tree
  return Object.fromEntries(Object.entries(tree).filter(([section]) => only.includes(section)))
}

/**
 * The same for a program that embeds the gateway: no file, no environment, and secrets may be given as they are.
 *
 * @throws ConfigError
 */
export function parseConfig(input: unknown, options: { readonly knownKinds: readonly string[] }): Config {
  const checked = check(input, options.knownKinds, [])
  if (!checked.ok) throw new ConfigError(checked.findings.map((finding) => toProblem(finding, undefined, [])))
  return checked.config
}

/**
 * @returns the file that is in force, with its text; `undefined` where there is none and none was asked for
 * @throws ConfigError where the file that was asked for cannot be read
 */
export async function readConfigFile(
  options: LoadOptions,
): Promise<{ file: string; text: string } | undefined> {
  const { cwd, env, readFile } = surroundings(options)
  const asked = env.GATEHOUSE_CONFIG || undefined
  for (const name of asked === undefined ? CONFIG_FILE_NAMES : [asked]) {
    const file = resolve(cwd, name)
    try {
      return { file, text: await readFile(file) }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
      if (code === 'ENOENT' && asked === undefined) continue
      const message = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`
      throw new ConfigError([
        { path: '', file, message, ...(asked && { from: `environment GATEHOUSE_CONFIG: ${file}` }) },
      ])
    }
  }
  return undefined
}

/** @returns a text that changes when the file, or whether there is one, does */
export function fingerprintOf(found: { file: string; text: string } | undefined): string {
  return found === undefined
    ? 'none'
    : `${createHash('sha256').update(found.text).digest('hex')} ${found.file}`
}

function surroundings(options: LoadOptions) {
  return {
    cwd: options.cwd ?? process.cwd(),
    env: options.env ?? process.env,
    readFile: options.readFile ?? ((path: string) => readFileOfNode(path, 'utf8')),
  }
}

type Checked = { ok: true; config: Config } | { ok: false; findings: Finding[] }

function check(tree: unknown, knownKinds: readonly string[], earlier: readonly Finding[]): Checked {
  const parsed = configSchema.safeParse(tree ?? {})
  const fromSchema = parsed.success ? [] : issuesToFindings(parsed.error.issues, tree, configJsonSchema())
  const findings = firstOfEach([...earlier, ...fromSchema, ...checkNames(tree, knownKinds)])
  if (parsed.success && findings.length === 0) return { ok: true, config: deepFreeze(parsed.data) }
  return { ok: false, findings }
}

/** One finding for each place: what is said after a reference failed is only its consequence. */
function firstOfEach(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>()
  return findings.filter(({ path }) => !seen.has(pathKey(path)) && seen.add(pathKey(path)))
}

function toProblem(
  finding: Finding,
  source: ConfigSource | undefined,
  overrides: readonly Override[],
): Problem {
  const override = overrideAt(overrides, finding.path)
  if (override !== undefined) {
    return { path: renderPath(finding.path), message: finding.message, from: override.from }
  }
  if (source !== undefined) return source.problemAt(finding.path, finding.part, finding.message)
  return { path: renderPath(finding.path), message: finding.message }
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}

/**
 * `models:` with all its lines commented out is a section that was left out, and `$schema` is a word to editors.
 */
function sectionsOf(tree: unknown): unknown {
  if (tree === null) return undefined
  if (!isMap(tree)) return tree
  return Object.fromEntries(
    Object.entries(tree).filter(([name, value]) => value !== null && name !== '$schema'),
  )
}

function displayName(file: string, cwd: string): string {
  const near = relative(cwd, file)
  return near === '' || near.startsWith('..') || isAbsolute(near) ? file : near
}
