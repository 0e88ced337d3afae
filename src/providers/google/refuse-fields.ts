import type { WarningList } from './warnings.ts'

/**
 * Takes fields out of a body that its provider refuses.
 *
 * @param refuses paths as Gemini spells them: `labels`, `generationConfig.seed`
 */
export function refuseFields(
  body: Record<string, unknown>,
  refuses: readonly string[],
  warnings: WarningList,
): void {
  for (const path of refuses) {
    const [outer = '', inner] = path.split('.')
    const value = body[outer]
    if (inner === undefined) {
      if (value === undefined) continue
      delete body[outer]
    } else {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, inner)) continue
      body[outer] = Object.fromEntries(Object.entries(value).filter(([name]) => name !== inner))
    }
    warnings.add(path, 'This model refuses the setting; it was left out.')
  }
}
