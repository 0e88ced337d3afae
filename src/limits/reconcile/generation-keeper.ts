import type { Counters } from '../ports.ts'

export interface GenerationKeeperOptions {
  readonly counters: Pick<Counters, 'generation' | 'renewGeneration' | 'sequence'>
  readonly settings: Settings
}

/** Small values that outlive processes and counters. */
export interface Settings {
  getSetting(name: string): Promise<unknown>
  putSetting(name: string, value: unknown): Promise<void>
}

/** Keeps in the database by which generation was counted, so that counters which fell back are found out. */
export interface GenerationKeeper {
  /**
   * Compares the counters with what was kept of them. Where they fell back, the next generation begins, and each
   * organization is rebuilt with its next call.
   *
   * @returns the generation that holds now
   * @throws GatewayError `storage_unavailable`
   */
  check(): Promise<string>
}

const SETTING = 'limits.counters'
/** Generations are few: each is a restart or a loss. */
const FORMER_MAX = 32

interface Kept {
  readonly generation: string
  readonly sequence: number
  /** Earlier ones, the last first. */
  readonly former: readonly string[]
}

export function createGenerationKeeper({ counters, settings }: GenerationKeeperOptions): GenerationKeeper {
  let isFirst = true

  return {
    async check() {
      const kept = fromSetting(await settings.getSetting(SETTING))
      let generation = await counters.generation()
      let sequence = await counters.sequence()
      if (kept !== undefined && isBehind(kept, generation, sequence, isFirst)) {
        generation = await counters.renewGeneration(generation)
        sequence = await counters.sequence()
      }
      isFirst = false
      if (kept?.generation !== generation || kept.sequence !== sequence) {
        const former =
          kept === undefined || kept.generation === generation
            ? (kept?.former ?? [])
            : [kept.generation, ...kept.former.filter((each) => each !== generation)].slice(0, FORMER_MAX)
        await settings.putSetting(SETTING, { generation, sequence, former } satisfies Kept)
      }
      return generation
    },
  }
}

/**
 * @param isFirst whether this process has not looked before. Another generation may then be an older one, restored
 *   while nobody was there to see it; later it is one that somebody began for a reason, unless it was in force before
 */
function isBehind(kept: Kept, generation: string, sequence: number, isFirst: boolean): boolean {
  if (generation === kept.generation) return sequence < kept.sequence
  return isFirst || kept.former.includes(generation)
}

function fromSetting(value: unknown): Kept | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { generation, sequence, former } = value as Record<string, unknown>
  if (typeof generation !== 'string' || typeof sequence !== 'number') return undefined
  const names = Array.isArray(former) ? former.filter((name): name is string => typeof name === 'string') : []
  return { generation, sequence, former: names }
}
