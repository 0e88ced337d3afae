import { describeConfig, renderDescription } from './describe.ts'
import { configJsonSchema } from './json-schema.ts'
import { type LoadedConfig, type LoadOptions, loadConfig } from './load.ts'
import { ConfigError, type Problem, renderProblem } from './problem.ts'
import { referencePage } from './reference-tables.ts'

/** The bodies of `gatehouse config …`: what to print and how to end, nothing printed here. */
export interface CommandResult {
  readonly text: string
  /** What `--json` prints. */
  readonly json: unknown
  /** 0 good, 1 a problem was found. */
  readonly exitCode: 0 | 1
}

/** `gatehouse config check`: everything that is wrong, or that nothing is. */
export async function checkCommand(options: LoadOptions): Promise<CommandResult> {
  return await withConfig(options, (loaded) => {
    const counts = [
      count(Object.keys(loaded.config.providers).length, 'provider'),
      count(Object.keys(loaded.config.models).length, 'route'),
    ].join(', ')
    const subject = loaded.file ?? 'No file; environment and defaults'
    const warnings = loaded.warnings.map((warning) => `warning: ${renderProblem(warning)}`)
    return {
      text: [...warnings, `${subject}: valid, ${counts}.`].join('\n'),
      json: {
        valid: true,
        file: loaded.file ?? null,
        hash: loaded.hash,
        problems: [],
        warnings: loaded.warnings.map(toJson),
      },
      exitCode: 0,
    }
  })
}

/** `gatehouse config show`: what is in force, and where each value comes from. */
export async function showCommand(options: LoadOptions): Promise<CommandResult> {
  return await withConfig(options, (loaded) => {
    const description = describeConfig(loaded)
    return { text: renderDescription(description), json: description, exitCode: 0 }
  })
}

/** `gatehouse config schema`: JSON Schema for editors, or tables for people. */
export function schemaCommand(format: 'json' | 'markdown' = 'json'): CommandResult {
  const json = configJsonSchema()
  return { text: format === 'json' ? JSON.stringify(json, null, 2) : referencePage(json), json, exitCode: 0 }
}

async function withConfig(
  options: LoadOptions,
  use: (loaded: LoadedConfig) => CommandResult,
): Promise<CommandResult> {
  try {
    return use(await loadConfig(options))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return {
      text: `${error.message}\n\n${count(error.problems.length, 'problem')} found.`,
      json: { valid: false, problems: error.problems.map(toJson), warnings: [] },
      exitCode: 1,
    }
  }
}

/** Without the line itself: whoever reads JSON has the place. */
function toJson({ excerpt: _line, ...problem }: Problem) {
  return problem
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
