import type { Warning } from '../provider.ts'

/** Collects what a mapper left out; says each thing once, however often it occurs in a conversation. */
export class Warnings {
  private readonly byText = new Map<string, Warning>()

  add(param: string, message: string): void {
    const key = `${param}\n${message}`
    if (!this.byText.has(key)) this.byText.set(key, { param, message })
  }

  list(): readonly Warning[] {
    return [...this.byText.values()]
  }
}
