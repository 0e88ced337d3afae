// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../core/secret.ts'
import { load, refusal } from './fixtures/load-text.ts'
import { parseConfig } from './load.ts'
import { ConfigError } from './problem.ts'

/** Section 3 of the public contract, whole. */
const CONTRACT = `
server: { host: 127.0.0.1, port: 4000, bodyBytesMax: 20971520, trustedProxies: [], drainSeconds: 300 }
storage: { database: embedded, redis: none }
providers:
  openai:    { kind: openai,    apiKey: "\${env:OPENAI_API_KEY}" }
  anthropic: { kind: anthropic, apiKey: "\${env:ANTHROPIC_API_KEY}" }
  google:    { kind: google,    apiKey: "\${env:GEMINI_API_KEY}" }
  local:     { kind: openai-compatible, baseUrl: "http://127.0.0.1:11434/v1" }
models:
  chat:
    targets:
      - { provider: openai,    model: gpt-4o,            weight: 70 }
      - { provider: anthropic, model: claude-sonnet-4-5, weight: 20 }
      - { provider: google,    model: gemini-2.5-pro,    weight: 10 }
    strategy: weighted
    fallback: true
    afterFirstToken: error
    retries: 2
    cache: moderate
tasks:
  summarization: { model: cheap, cache: aggressive, compress: true }
breaker: { failures: 5, windowSeconds: 60, openSeconds: 30, halfOpenCalls: 1 }
cache:   { exact: true, semantic: { enabled: false, threshold: 0.95, embeddingModel: text-embedding-3-small } }
safety:  { pii: redact, injection: flag, moderation: flag, output: redact, onModeratorDown: local }
content: { store: redacted, retentionDays: 30 }
budgets: { default: { monthlyLimitUsd: 1000, alertAt: [0.8, 1.0], hardLimit: true } }
limits:  { default: { requestsPerMinute: 60, tokensPerHour: 100000, costPerDayUsd: null, onLimit: reject } }
prices:  { overrides: { "openai/gpt-4o": { inputPerMillionUsd: 2.5, outputPerMillionUsd: 10, cachedInputPerMillionUsd: 1.25 } } }
alerts:
  channels:
    - { kind: slack, url: "\${env:SLACK_WEBHOOK_URL}" }
    - { kind: webhook, url: "https://example.org/hook", secret: "\${env:HOOK_SECRET}" }
    - { kind: email, smtpUrl: "smtps://me:\${env:SMTP_PASSWORD}@mail.example.org", from: a@example.org, to: [b@example.org] }
    - { kind: pagerduty, routingKey: "\${env:PAGERDUTY_KEY}" }
telemetry: { otlp: { endpoint: "http://127.0.0.1:4318", headers: { authorization: "Bearer \${env:OTLP}" }, convention: genai }, prometheus: { token: "\${env:PROM}" } }
`
const CONTRACT_ENV = {
  OPENAI_API_KEY: 'sk-o',
  ANTHROPIC_API_KEY: 'sk-a',
  GEMINI_API_KEY: 'g',
  SLACK_WEBHOOK_URL: 'https://hooks.slack.com/x',
  HOOK_SECRET: 'h',
  SMTP_PASSWORD: 'm',
  PAGERDUTY_KEY: 'p',
  OTLP: 't',
  PROM: 'q',
}

describe('loadConfig', () => {
  it('loadConfig() reads every key of the public contract', async () => {
    const { config } = await load(CONTRACT, { env: CONTRACT_ENV })
    expect(config.providers.openai?.apiKey?.reveal()).toBe('sk-o')
    expect(config.models.chat?.targets.map(({ weight }) => weight)).toEqual([70, 20, 10])
    expect(config.tasks.summarization).toEqual({ model: 'cheap', cache: 'aggressive', compress: true })
    expect(config.budgets.default.monthlyLimitUsd).toBe(1000)
    expect(config.telemetry.otlp?.headers.authorization?.reveal()).toBe('Bearer t')
    const mail = config.alerts.channels[2]
    expect(mail?.kind === 'email' && mail.smtpUrl.reveal()).toBe('smtps://me:m@mail.example.org')
  })

  it('loadConfig() needs neither a file nor a variable', async () => {
    const { config, file, warnings } = await load(undefined)
    expect(file).toBeUndefined()
    expect(warnings).toEqual([])
    expect(config.server).toEqual({
      host: '127.0.0.1',
      port: 4000,
      enabled: true,
      bodyBytesMax: 20_971_520,
      trustedProxies: [],
      drainSeconds: 300,
      heartbeatSeconds: 10,
    })
    expect(config.storage).toEqual({
      database: 'embedded',
      redis: 'none',
      redisCommandTimeoutMs: 250,
      redisRequired: false,
      journal: 'file',
      journalBytesMax: 1024 ** 3,
      dataDir: './data',
    })
    expect(config.prices).toEqual({
      overrides: {},
      unknown: 'ceiling',
      ceiling: { inputPerMillionUsd: 10, outputPerMillionUsd: 50 },
    })
    expect(config.limits.default.requestsPerMinute).toBe(60)
  })

  it.each(['', '# only a comment\n', 'server:\nmodels:\n  # nothing yet\n'])(
    'loadConfig() takes an empty file or section for one that is left out (%j)',
    async (text) => {
      expect((await load(text)).config).toEqual((await load(undefined)).config)
    },
  )

  it('loadConfig() gives a provider its defaults', async () => {
    const { config } = await load(
      'providers: { local: { kind: openai-compatible, baseUrl: "http://h:1/v1//" } }',
    )
    expect(config.providers.local).toEqual({
      kind: 'openai-compatible',
      baseUrl: 'http://h:1/v1',
      headers: {},
      connectTimeoutMs: 5000,
      firstByteTimeoutMs: 120_000,
      idleTimeoutMs: 120_000,
      onCancel: 'abort',
    })
  })

  it('loadConfig() reads a target written as provider/model, the model keeping its slashes', async () => {
    const { config } = await load(
      'providers: { a: { kind: openai } }\nmodels: { "x/y-1.5": { targets: [a/meta/llama-3] } }',
    )
    expect(config.models['x/y-1.5']?.targets).toEqual([{ provider: 'a', model: 'meta/llama-3', weight: 1 }])
  })

  it('loadConfig() reads the models of a provider as a list and as a map', async () => {
    const { config } = await load(
      'providers: { a: { kind: openai, models: [m, n/o] }, b: { kind: azure-openai, models: { gpt-4o: deployment } } }',
    )
    expect(config.providers.a?.models).toEqual({ m: 'm', 'n/o': 'n/o' })
    expect(config.providers.b?.models).toEqual({ 'gpt-4o': 'deployment' })
  })

  it('loadConfig() reads JSON by the same rules, tabs and positions included', async () => {
    const files = { '/home/gatehouse.json': '{\n\t"server": {\n\t\t"port": 5000,\n\t\t"prot": 1\n\t}\n}\n' }
    const { problems } = await refusal(undefined, { files })
    expect(problems).toMatchObject([{ file: 'gatehouse.json', line: 4, column: 3, path: 'server.prot' }])
    const good = await load(undefined, { files: { '/home/gatehouse.json': '{"server":{"port":5000}}' } })
    expect(good.config.server.port).toBe(5000)
  })

  it('loadConfig() lets a file name its schema, as editors want it', async () => {
    const files = { '/home/gatehouse.json': '{"$schema":"./s.json","server":{"port":5000}}' }
    expect((await load(undefined, { files })).config).not.toHaveProperty('$schema')
  })

  it('loadConfig() reads the file that GATEHOUSE_CONFIG names instead of gatehouse.yaml', async () => {
    const files = { '/etc/g.yaml': 'server: { port: 1 }' }
    const loaded = await load('server: { port: 2 }', { env: { GATEHOUSE_CONFIG: '../etc/g.yaml' }, files })
    expect([loaded.config.server.port, loaded.file]).toEqual([1, '/etc/g.yaml'])
  })

  it('loadConfig() refuses a GATEHOUSE_CONFIG that does not exist', async () => {
    const { message } = await refusal('', { env: { GATEHOUSE_CONFIG: 'nowhere.yaml' } })
    expect(message).toBe('environment GATEHOUSE_CONFIG: /home/nowhere.yaml: there is no such file')
  })

  it('loadConfig() freezes all of it', async () => {
    const { config } = await load(CONTRACT, { env: CONTRACT_ENV })
    const unfrozen: string[] = []
    const walk = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) unfrozen.push(path)
      for (const [key, part] of Object.entries(value)) walk(part, `${path}.${key}`)
    }
    walk(config, '')
    expect(unfrozen).toEqual([])
  })

  it('loadConfig() prints no secret, whatever prints it', async () => {
    const env = {
      ...CONTRACT_ENV,
      OPENAI_API_KEY: 'sk-unprintable',
      GATEHOUSE_ADMIN_KEY: 'unprintable-admin-key',
    }
    const loaded = await load(CONTRACT, { env })
    expect(JSON.stringify(loaded)).not.toContain('unprintable')
    expect(loaded.config.server.adminKey).toBeInstanceOf(Secret)
  })

  it('loadConfig() hashes equal configurations equally, and leaves secrets out of the hash', async () => {
    const one = await load(CONTRACT, { env: CONTRACT_ENV })
    const rotated = await load(`# other\n${CONTRACT}`, { env: { ...CONTRACT_ENV, OPENAI_API_KEY: 'sk-new' } })
    const other = await load(CONTRACT.replace('retries: 2', 'retries: 3'), { env: CONTRACT_ENV })
    expect(one.hash).toMatch(/^[0-9a-f]{64}$/)
    expect(rotated.hash).toBe(one.hash)
    expect(other.hash).not.toBe(one.hash)
  })

  it('loadConfig() lets the command line win over the environment, and that over the file', async () => {
    const overrides = [{ path: ['server', 'host'], value: 'c', from: 'flag --host' }]
    const { config } = await load('server: { host: a, port: 1, drainSeconds: 2 }', {
      env: { GATEHOUSE_HOST: 'b', GATEHOUSE_PORT: '3' },
      options: { overrides },
    })
    expect([config.server.host, config.server.port, config.server.drainSeconds]).toEqual(['c', 3, 2])
  })

  it('loadConfig() either loads a text or throws ConfigError with problems, never anything else', async () => {
    const piece = fc.constantFrom(
      ...[
        'server',
        'models',
        'providers',
        'a',
        'kind',
        'openai',
        'targets',
        ': ',
        '\n',
        '  ',
        '- ',
        '{',
        '}',
      ],
      ...[
        '[',
        ']',
        '"',
        '&x ',
        '*x',
        '${env:A}',
        '${',
        ', ',
        'null',
        '1',
        '!t ',
        '|',
        '#',
        '__proto__',
        '? ',
        '\t',
      ],
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        const outcome = await load(pieces.join('')).catch((error: unknown) => error)
        if (outcome instanceof Error) {
          expect(outcome).toBeInstanceOf(ConfigError)
          expect(outcome.message).not.toBe('')
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('parseConfig', () => {
  it('parseConfig() takes secrets as they are from a program', () => {
    const config = parseConfig(
      { providers: { a: { kind: 'openai', apiKey: 'sk-x' } } },
      { knownKinds: ['openai'] },
    )
    expect(config.providers.a?.apiKey?.reveal()).toBe('sk-x')
  })

  it('parseConfig() throws every problem with its path', () => {
    const wrong = { server: { port: -1 }, providers: { a: { kind: 'opnai' } } }
    expect(() => parseConfig(wrong, { knownKinds: ['openai'] })).toThrow(
      'server.port: must be a whole number from 0 to 65535; found `-1`.\n' +
        'providers.a.kind: there is no kind of provider `opnai`. Did you mean `openai`?',
    )
  })
})
