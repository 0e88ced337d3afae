// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { describe, expect, it } from 'vitest'
import { load, refusal } from './fixtures/load-text.ts'

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64')

describe('readEnvironment', () => {
  it('readEnvironment() sets every documented variable', async () => {
    const { config } = await load('server: { host: file, port: 1 }', {
      env: {
        GATEHOUSE_PORT: '0',
        GATEHOUSE_HOST: '0.0.0.0',
        GATEHOUSE_DATA_DIR: '/var/lib/gatehouse',
        GATEHOUSE_ADMIN_KEY: 'correct horse battery',
        GATEHOUSE_MASTER_KEY: MASTER_KEY,
        DATABASE_URL: 'postgres://u:p@h/db',
        REDIS_URL: 'redis://h:6379',
        LLM_ENABLED: 'false',
        LLM_ERROR_RATE_THRESHOLD: '0.1',
        LLM_LATENCY_THRESHOLD: '2500',
        LLM_DAILY_COST_THRESHOLD: '70.5',
        LLM_SUCCESS_RATE_THRESHOLD: '.9',
        LLM_HOURLY_COST_THRESHOLD: '7',
      },
    })
    expect([config.server.port, config.server.host, config.server.enabled]).toEqual([0, '0.0.0.0', false])
    expect(config.server.adminKey?.reveal()).toBe('correct horse battery')
    const { database, redis, masterKey } = config.storage
    expect(config.storage.dataDir).toBe('/var/lib/gatehouse')
    expect(masterKey?.reveal()).toBe(MASTER_KEY)
    expect(database !== 'embedded' && database.reveal()).toBe('postgres://u:p@h/db')
    expect(redis !== 'none' && redis.reveal()).toBe('redis://h:6379')
    expect(config.alerts.thresholds).toEqual({
      errorRate: 0.1,
      latencyMs: 2500,
      dailyCostUsd: 70.5,
      successRate: 0.9,
      hourlyCostUsd: 7,
    })
  })

  it('readEnvironment() takes an empty variable for one that is not set', async () => {
    const env = {
      GATEHOUSE_PORT: '',
      GATEHOUSE_CONFIG: '',
      DATABASE_URL: '',
      OPENAI_API_KEY: '',
      LLM_ENABLED: '',
    }
    const { config } = await load(undefined, { env })
    expect(config).toEqual((await load(undefined)).config)
  })

  it.each([
    ['GATEHOUSE_PORT', 'abc', 'server.port: must be a whole number from 0 to 65535; found "abc".'],
    ['GATEHOUSE_PORT', '70000', 'server.port: must be a whole number from 0 to 65535; found `70000`.'],
    [
      'LLM_ERROR_RATE_THRESHOLD',
      '5%',
      'alerts.thresholds.errorRate: must be a number from 0 to 1; found "5%".',
    ],
    ['LLM_ENABLED', 'maybe', 'server.enabled: must be `true` or `false`; found "maybe".'],
    [
      'DATABASE_URL',
      'mysql://u:hidden@h',
      'storage.database: must be `embedded` or a URL that begins with postgres:// or postgresql://',
    ],
    [
      'GATEHOUSE_MASTER_KEY',
      'hidden',
      'storage.masterKey: must be 32 bytes in base64; make one with: openssl rand -base64 32',
    ],
    [
      'GATEHOUSE_ADMIN_KEY',
      '',
      'server.adminKey: must not be empty; make one with: openssl rand -base64 32, or leave the variable unset to have one made',
    ],
    [
      'GATEHOUSE_ADMIN_KEY',
      'admin',
      'server.adminKey: must have at least 16 characters, this one has 5; make one with: openssl rand -base64 32',
    ],
    [
      'GATEHOUSE_ADMIN_KEY',
      'changeme12345678',
      'server.adminKey: must not be a well-known one; make one with: openssl rand -base64 32',
    ],
  ])('readEnvironment() names the variable that is wrong (%s=%s)', async (name, value, message) => {
    const error = await refusal(undefined, { env: { [name]: value } })
    expect(error.message).toBe(`environment ${name}: ${message}`)
  })

  it('readEnvironment() warns of a mistyped name of ours', async () => {
    const { warnings } = await load(undefined, {
      env: { GATEHOUSE_PROT: '1', GATEHOUSE_SOMETHING_ELSE: '1' },
    })
    expect(warnings.map(({ from, message }) => `${from} ${message}`)).toEqual([
      'environment GATEHOUSE_PROT is not read. Did you mean `GATEHOUSE_PORT`?',
    ])
  })
})

describe('environmentProviders', () => {
  it('environmentProviders() makes a provider of each key, without configuration', async () => {
    const { config, originOf } = await load(undefined, {
      env: {
        OPENAI_API_KEY: 'sk-o',
        OPENAI_BASE_URL: 'http://127.0.0.1:9090/v1/',
        ANTHROPIC_API_KEY: 'sk-a',
        GEMINI_API_KEY: 'g-1',
        GOOGLE_API_KEY: 'g-2',
        AZURE_OPENAI_API_KEY: 'az',
        AZURE_OPENAI_ENDPOINT: 'https://x.openai.azure.com',
        OPENAI_API_VERSION: '2024-10-21',
      },
    })
    const shown = Object.entries(config.providers).map(([name, { kind, apiKey, baseUrl, apiVersion }]) => [
      ...[name, kind, apiKey?.reveal(), baseUrl, apiVersion],
    ])
    expect(shown).toEqual([
      ['openai', 'openai', 'sk-o', 'http://127.0.0.1:9090/v1', undefined],
      ['anthropic', 'anthropic', 'sk-a', undefined, undefined],
      ['google', 'google', 'g-1', undefined, undefined],
      ['azure', 'azure-openai', 'az', 'https://x.openai.azure.com', '2024-10-21'],
    ])
    expect(originOf(['providers', 'openai', 'baseUrl'])).toEqual({
      kind: 'override',
      from: 'environment OPENAI_BASE_URL',
    })
  })

  it('environmentProviders() makes a provider of a base URL alone', async () => {
    const { config } = await load(undefined, { env: { OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1' } })
    expect(config.providers.openai).toMatchObject({ kind: 'openai', baseUrl: 'http://127.0.0.1:11434/v1' })
    expect(config.providers.openai?.apiKey).toBeUndefined()
  })

  it('environmentProviders() leaves a provider that the file names as it is', async () => {
    const { config } = await load(
      'providers: { openai: { kind: openai-compatible, baseUrl: "http://h/v1" } }',
      {
        env: { OPENAI_API_KEY: 'sk-o', OPENAI_BASE_URL: 'http://other/v1', ANTHROPIC_API_KEY: 'a' },
      },
    )
    expect(Object.keys(config.providers)).toEqual(['openai', 'anthropic'])
    expect(config.providers.openai).toMatchObject({ kind: 'openai-compatible', baseUrl: 'http://h/v1' })
    expect(config.providers.openai?.apiKey).toBeUndefined()
  })

  it('environmentProviders() lets routes use what the environment made', async () => {
    const { config } = await load('models: { m: { targets: [openai/gpt-4o] } }', {
      env: { OPENAI_API_KEY: 'k' },
    })
    expect(config.models.m?.targets[0]?.provider).toBe('openai')
  })

  it.each([
    [
      { ANTHROPIC_BASE_URL: 'http://localhost:4000', ANTHROPIC_API_KEY: 'k' },
      'is the address of this gateway',
    ],
    [
      { OPENAI_BASE_URL: 'http://127.0.0.1:5005/v1', GATEHOUSE_PORT: '5005' },
      'is the address of this gateway',
    ],
    [{ OPENAI_API_KEY: 'gh-abc' }, 'holds a key of this gateway'],
    [{ AZURE_OPENAI_API_KEY: 'k' }, 'needs AZURE_OPENAI_ENDPOINT or AZURE_OPENAI_BASE_URL as well'],
  ])('environmentProviders() makes no provider of %j and says why', async (env, reason) => {
    const { config, warnings } = await load(undefined, { env })
    expect(config.providers).toEqual({})
    expect(warnings.map(({ message }) => message).join()).toContain(reason)
  })

  it('environmentProviders() leaves out a kind that cannot be served', async () => {
    const { config, warnings } = await load(undefined, {
      env: { OPENAI_API_KEY: 'k' },
      options: { knownKinds: ['anthropic'] },
    })
    expect(config.providers).toEqual({})
    expect(warnings[0]?.message).toContain('no provider of the kind `openai`')
  })
})
