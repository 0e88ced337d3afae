import type { Warning } from '../../contract/warning.ts'

/** Collects warnings, one per field however often it stands in a request. */
export interface WarningList {
  add(param: string, message: string): void
  all(): Warning[]
}

export function createWarnings(): WarningList {
  const byParam = new Map<string, Warning>()
  return {
    add(param, message) {
      if (!byParam.has(param)) byParam.set(param, { param, message })
    },
    all: () => [...byParam.values()],
  }
}
