import type { UnmappedField } from '../../chat.ts'
import { type Fields, isAbsent } from './fields.ts'

/** Adds every field of `fields` that is not `known` to `unmapped`, by its path; `null` says nothing and is left out. */
export function collectUnmapped(
  fields: Fields,
  known: ReadonlySet<string>,
  prefix: string,
  unmapped: UnmappedField[],
): void {
  for (const name in fields) {
    if (!known.has(name) && !isAbsent(fields[name]))
      unmapped.push({ path: prefix + name, value: fields[name] })
  }
}
