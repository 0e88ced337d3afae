/** The providers that every client is held against. Another family is another row. */
export interface Family {
  /** Its name in the configuration of `startGateway()`. */
  readonly provider: string
  /** What a client writes into `model`. */
  readonly model: string
  /** What the provider is asked for. */
  readonly upstreamModel: string
  /** A model for embeddings; `undefined` where the provider has none. */
  readonly embeddingModel: string | undefined
  /** Whether the provider counts tokens ahead, exactly. */
  readonly countsTokens: boolean
}

export const FAMILIES: readonly Family[] = [
  {
    provider: 'openai',
    model: 'openai/gpt-4o',
    upstreamModel: 'gpt-4o',
    embeddingModel: 'openai/text-embedding-3-small',
    countsTokens: false,
  },
  {
    provider: 'anthropic',
    model: 'anthropic/claude-sonnet-4-5',
    upstreamModel: 'claude-sonnet-4-5',
    embeddingModel: undefined,
    countsTokens: true,
  },
  {
    provider: 'google',
    model: 'google/gemini-2.5-pro',
    upstreamModel: 'gemini-2.5-pro',
    embeddingModel: 'google/gemini-embedding-001',
    countsTokens: true,
  },
]

/** The simulator says it back. */
export const GREETING = 'Grüße from "Bern": 東京 👩‍🚀, and the quick brown fox jumps over the lazy dog.'

export const SYSTEM = 'You answer briefly.'

/**
 * The conversation about two tools: the simulator calls those that are named, both at once, with the quoted text as
 * argument, and then says what they gave.
 */
export const TOOL_PROMPT = 'Ask get_weather and get_time about "Oslo".'
export const TOOL_ARGUMENTS = { city: 'Oslo' }
export const TOOL_ANSWER = 'The tools say: rain; noon'

export interface OfferedTool {
  readonly name: 'get_weather' | 'get_time'
  readonly description: string
  readonly result: string
}

export const TOOLS: readonly OfferedTool[] = [
  { name: 'get_weather', description: 'How the weather is.', result: 'rain' },
  { name: 'get_time', description: 'What time it is.', result: 'noon' },
]

export const TOOL_NAMES = TOOLS.map(({ name }) => name)

/** JSON Schema of the arguments of each of them. */
export const TOOL_SCHEMA = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const, description: 'A city.' } },
  required: ['city'],
  additionalProperties: false,
}

/** @returns what the tool of that name gives */
export function runTool(name: string): string {
  const tool = TOOLS.find((each) => each.name === name)
  if (tool === undefined) throw new Error(`Nobody offered the tool ${name}.`)
  return tool.result
}

/** One transparent pixel. */
export const PNG_BASE64 =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='
