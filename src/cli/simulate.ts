import type { Command } from 'commander'
import { runSimulator } from '../simulator/command.ts'
import { toPortError } from './port.ts'

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description(
      'run the provider simulator: OpenAI, Anthropic and Gemini formats with exact token counts and faults',
    )
    .option('-p, --port <number>', 'port to listen on; 0 takes any free one', '9090')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse simulate --port 9090
  curl -H 'x-sim: ttft=500,tps=20' http://127.0.0.1:9090/v1/chat/completions -d '…'
  OPENAI_API_KEY=any OPENAI_BASE_URL=http://127.0.0.1:9090/v1 gatehouse serve`,
    )
    .action(async ({ port, host }: { port: string; host: string }) => {
      try {
        await runSimulator({ port: Number(port), host, print: (text) => process.stdout.write(`${text}\n`) })
      } catch (error) {
        throw toPortError(error, host, Number(port))
      }
    })
}
