import { createSimulator } from './server.ts'

export interface SimulatorCommand {
  readonly port: number
  readonly host: string
  /** Shows one line to whoever started it. */
  readonly print: (line: string) => void
  /** Ends the command; without it Ctrl-C and SIGTERM do. */
  readonly signal?: AbortSignal
}

/**
 * Serves the simulator until it is told to stop.
 *
 * @returns when every connection is closed
 * @throws the system's error where the port cannot be had
 */
export async function runSimulator({ port, host, print, signal }: SimulatorCommand): Promise<void> {
  const simulator = createSimulator()
  const stopped = signal === undefined ? onInterrupt() : onAbort(signal)
  const { url } = await simulator.listen(port, host)
  print(`The simulator speaks OpenAI, Anthropic and Gemini at ${url}`)
  print('')
  print(`  OPENAI_BASE_URL=${url}/v1`)
  print(`  ANTHROPIC_BASE_URL=${url}`)
  print(`  GOOGLE_GEMINI_BASE_URL=${url}`)
  print('')
  print(
    `Try: curl ${url}/v1/chat/completions -d '{"model":"echo","messages":[{"role":"user","content":"Hello"}]}'`,
  )
  print(`Faults: header x-sim, or POST ${url}/sim/control. Books: ${url}/sim/stats. Ctrl-C stops.`)
  await stopped
  await simulator.close()
  const { calls, tokensInput, tokensOutput } = simulator.stats()
  print(`Answered ${calls} calls: ${tokensInput} tokens in, ${tokensOutput} tokens out.`)
}

function onAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function onInterrupt(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      resolve()
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  })
}
