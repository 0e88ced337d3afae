export interface BannerFacts {
  readonly url: string
  readonly readyMs: number
  readonly database: 'postgres' | 'embedded'
  readonly redis: boolean
  readonly dataDir: string
  readonly file: string | undefined
  readonly models: readonly string[]
  readonly simulated: boolean
  /** A model for the first request. */
  readonly example: string
  /** Shown once, on the very first start. */
  readonly firstKey: string | undefined
  readonly adminKey: string | undefined
}

const MODELS_SHOWN = 3

/** @returns what people read when the gateway is ready; on the first start with keys and a first request to copy */
export function renderBanner(facts: BannerFacts): string {
  const { url, firstKey, adminKey, simulated, example } = facts
  const lines = [
    '',
    `  Gatehouse is ready in ${(facts.readyMs / 1000).toFixed(1)} s`,
    '',
    `  Gateway      ${url}/v1`,
    `  Control API  ${url}/docs`,
    `  Models       ${shortList([example, ...facts.models.filter((name) => name !== example)])}`,
    `  Store        ${storeOf(facts)}`,
    `  Settings     ${facts.file ?? 'none needed; `npx gatehouse init` writes a gatehouse.yaml'}`,
  ]
  if (simulated) {
    lines.push(
      '',
      '  No provider is configured, so the built-in simulator answers. For real models set',
      '  OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY and start again.',
    )
  }
  if (adminKey !== undefined) lines.push('', `  Admin key    ${adminKey}   (shown once: keep it)`)
  if (firstKey !== undefined) {
    lines.push(
      `  First key    ${firstKey}   (shown once: keep it)`,
      '',
      '  Try it:',
      '',
      `  curl ${url}/v1/chat/completions \\`,
      `    -H "authorization: Bearer ${firstKey}" \\`,
      '    -H "content-type: application/json" \\',
      `    -d '{"model":"${example}","messages":[{"role":"user","content":"Hello"}]}'`,
    )
  }
  return `${lines.join('\n')}\n\n`
}

function storeOf({ database, dataDir, redis }: BannerFacts): string {
  return (database === 'embedded' ? `embedded, in ${dataDir}` : 'PostgreSQL') + (redis ? ', Redis' : '')
}

function shortList(names: readonly string[]): string {
  if (names.length === 0) return 'none yet'
  const more = names.length - MODELS_SHOWN
  return names.slice(0, MODELS_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
