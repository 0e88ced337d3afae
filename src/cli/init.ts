import { constants } from 'node:fs'
import { access, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { GatewayError } from '../core/errors.ts'
import { EXIT, print } from './output.ts'

const FILE = 'gatehouse.yaml'

const STARTER = `# Gatehouse. Every key and its default: docs/configuration.md; \`npx gatehouse config check\` tells what is wrong.
# As it stands, the built-in simulator answers. For real models take the comment marks off what you have.

# providers:
#   openai:    { kind: openai,    apiKey: "\${env:OPENAI_API_KEY}" }
#   anthropic: { kind: anthropic, apiKey: "\${env:ANTHROPIC_API_KEY}" }
#   google:    { kind: google,    apiKey: "\${env:GEMINI_API_KEY}" }
#   local:     { kind: openai-compatible, baseUrl: "http://127.0.0.1:11434/v1" }

# models:
#   # What clients put into "model", and where it leads.
#   chat:
#     targets: [openai/gpt-4o-mini]
`

export function addInit(program: Command): void {
  program
    .command('init')
    .description(`write a ${FILE} to start from`)
    .option('--dry-run', 'print it instead of writing it')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  gatehouse init\n  gatehouse init --dry-run')
    .action(async ({ dryRun = false, json = false }: { dryRun?: boolean; json?: boolean }) => {
      if (dryRun) {
        print(
          { text: STARTER, json: { file: FILE, text: STARTER, written: false }, exitCode: EXIT.success },
          json,
        )
        return
      }
      if (await exists(FILE)) {
        throw new GatewayError('conflict', { message: `${FILE} is here already; nothing was changed.` })
      }
      await writeFile(FILE, STARTER, { flag: 'wx' })
      print(
        {
          text: `Wrote ${FILE}. Edit it, then: npx gatehouse config check`,
          json: { file: FILE, written: true },
          exitCode: EXIT.success,
        },
        json,
      )
    })
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK)
    return true
  } catch {
    return false
  }
}
