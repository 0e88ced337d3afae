import type { JsonObject } from './json.ts'

/** A stored object and, for a file, its bytes. */
export interface Shelved {
  readonly info: JsonObject & { readonly id: string }
  readonly bytes?: Buffer
}

const ITEMS_MAX = 200
const BYTES_MAX = 64 * 1024 * 1024

/** Files and batches, in memory; the oldest goes when there are too many or they are too large together. */
export class FileShelf {
  private readonly items = new Map<string, Shelved>()
  private bytes = 0

  put(item: Shelved): void {
    this.remove(item.info.id)
    this.items.set(item.info.id, item)
    this.bytes += item.bytes?.length ?? 0
    for (const id of this.items.keys()) {
      if (this.items.size <= ITEMS_MAX && this.bytes <= BYTES_MAX) break
      this.remove(id)
    }
  }

  get(id: string): Shelved | undefined {
    return this.items.get(id)
  }

  remove(id: string): boolean {
    this.bytes -= this.items.get(id)?.bytes?.length ?? 0
    return this.items.delete(id)
  }

  /** @param object `file` or `batch` */
  list(object: string): readonly Shelved[] {
    return [...this.items.values()].filter((item) => item.info.object === object)
  }
}
