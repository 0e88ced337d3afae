import { type Override, overrideAt } from './override.ts'
import type { ConfigSource } from './positions.ts'
import type { Path } from './problem.ts'
import { type Reference, referencesIn } from './references.ts'
import { isMap, valueAt } from './tree.ts'

/** Where a value comes from. */
export type Origin =
  | {
      readonly kind: 'file'
      readonly file: string
      readonly line: number
      readonly references: readonly Reference[]
    }
  /** `from` is in words: `environment GATEHOUSE_PORT`. */
  | { readonly kind: 'override'; readonly from: string }
  | { readonly kind: 'default' }

/** @returns the origin of the value at a path of the complete configuration */
export function originOf(
  path: Path,
  source: ConfigSource | undefined,
  overrides: readonly Override[],
): Origin {
  const override = overrideAt(overrides, path)
  if (override !== undefined) return { kind: 'override', from: override.from }
  // A shorthand has no parts where it was written: `openai/gpt-4o` is both a provider and a model.
  for (let length = path.length; source !== undefined && length > 0; length--) {
    const written = path.slice(0, length)
    const value = valueAt(source.tree, written)
    if (value === undefined) continue
    const line = source.lineOf(written)
    if (line === undefined || (length < path.length && isMap(value))) break
    const references = typeof value === 'string' ? referencesIn(value) : []
    return { kind: 'file', file: source.file, line, references }
  }
  return { kind: 'default' }
}

/** @returns the origin in a few words: `gatehouse.yaml:7`, `environment GATEHOUSE_PORT`, `default` */
export function renderOrigin(origin: Origin): string {
  if (origin.kind === 'default') return 'default'
  if (origin.kind === 'override') return origin.from
  const references = origin.references.map(({ text }) => ` ${text}`).join('')
  return `${origin.file}:${origin.line}${references}`
}
