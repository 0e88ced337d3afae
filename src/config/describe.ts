import { Secret } from '../core/secret.ts'
import type { LoadedConfig } from './load.ts'
import { type Origin, renderOrigin } from './origin.ts'
import { type Path, renderPath } from './problem.ts'
import { isMap } from './tree.ts'

/** One value of the configuration, as it may be shown. */
export interface DescribedValue {
  /** `models.chat.targets[0].provider` */
  readonly path: string
  /** `[secret]` where it is one. */
  readonly value: unknown
  /** `gatehouse.yaml:7`, `environment GATEHOUSE_PORT`, `default`. */
  readonly source: string
}

export interface ConfigDescription {
  readonly file: string | null
  readonly hash: string
  readonly values: readonly DescribedValue[]
}

const HIDDEN = '[secret]'
/** References whose text is no secret; what comes from a store or a secret file is one, wherever it stands. */
const OPEN_SCHEMES = ['env']

/** @returns every value that is in force, secrets hidden, with where each comes from */
export function describeConfig(loaded: LoadedConfig): ConfigDescription {
  const values = leavesOf(loaded.config, []).map(({ path, value }) => {
    const origin = loaded.originOf(path)
    return { path: renderPath(path), value: toShown(value, origin), source: renderOrigin(origin) }
  })
  return { file: loaded.file ?? null, hash: loaded.hash, values }
}

/** @returns the same as text: one line for each value, its origin in a column on the right */
export function renderDescription({ file, hash, values }: ConfigDescription): string {
  const lines = values.map(({ path, value, source }) => ({ text: `${path}: ${toText(value)}`, source }))
  // A very long value must not push all origins off the screen.
  const width = Math.min(72, Math.max(0, ...lines.map(({ text }) => text.length)))
  return [
    `# file: ${file ?? 'none'}`,
    `# hash: ${hash}`,
    ...lines.map(({ text, source }) => `${text.padEnd(width)}  # ${source}`),
  ].join('\n')
}

/** Texts, numbers and secrets; an empty map or list is a leaf too, because it says that there is nothing. */
function leavesOf(value: unknown, path: Path): { path: Path; value: unknown }[] {
  if (value instanceof Secret) return [{ path, value }]
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) {
    return value.flatMap((item, index) => leavesOf(item, [...path, index]))
  }
  if (!isMap(value)) return value === undefined ? [] : [{ path, value }]
  const entries = Object.entries(value)
  if (entries.length === 0) return [{ path, value }]
  return entries.flatMap(([name, part]) => leavesOf(part, [...path, name]))
}

function toShown(value: unknown, origin: Origin): unknown {
  if (value instanceof Secret) return HIDDEN
  const isHidden =
    origin.kind === 'file' && origin.references.some(({ scheme }) => !OPEN_SCHEMES.includes(scheme))
  return isHidden ? HIDDEN : value
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
