/** @returns whether a parsed JSON value holds more than `depthMax` lists and objects within each other */
export function nestsDeeperThan(value: unknown, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (depthMax <= 0) return true
  if (Array.isArray(value)) {
    for (const item of value) {
      // Long lists are lists of numbers: they cost no call each.
      if (typeof item === 'object' && nestsDeeperThan(item, depthMax - 1)) return true
    }
    return false
  }
  const fields = value as Readonly<Record<string, unknown>>
  // What was parsed has only names of its own.
  for (const name in fields) {
    const field = fields[name]
    if (typeof field === 'object' && nestsDeeperThan(field, depthMax - 1)) return true
  }
  return false
}
