import type { Faults } from './faults.ts'
import type { FileShelf } from './file-shelf.ts'
import type { JsonObject } from './json.ts'
import type { SimulatedReply } from './reply.ts'
import type { ScriptSettings } from './script.ts'

/** One request as an operation sees it. */
export interface Call {
  readonly method: string
  /** Without query, prefix or version: `/chat/completions`. */
  readonly path: string
  readonly query: URLSearchParams
  /** The JSON body; empty where there is none or it is something else. */
  readonly body: JsonObject
  readonly bytes: Buffer
  readonly contentType: string
  /** From the body, or from the path where the format has it there. */
  readonly model: string
  readonly faults: Faults
  readonly nowSeconds: number
  /** @returns an id that this simulator has not used before */
  readonly newId: (prefix: string) => string
  readonly files: FileShelf
  /** Answers another request in the same way: the lines of a batch. */
  readonly answer: (path: string, body: JsonObject) => Promise<SimulatedReply>
}

/** @returns the settings of the call that its words depend on */
export function scriptSettings({ faults }: Call): ScriptSettings {
  const { big, cached } = faults
  const cacheWrite = faults['cache-write']
  return {
    ...(big === undefined ? {} : { big }),
    ...(cached === undefined ? {} : { cached }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
  }
}
