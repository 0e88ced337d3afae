/** Closes what was opened, the last first, and whatever happens all of it. */
export class Closers {
  private readonly steps: (() => unknown)[] = []

  add(...steps: (() => unknown)[]): void {
    this.steps.push(...steps)
  }

  /** Rejects with what went wrong first. */
  async close(): Promise<void> {
    const errors: unknown[] = []
    for (const step of this.steps.splice(0).reverse()) {
      try {
        await step()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}
