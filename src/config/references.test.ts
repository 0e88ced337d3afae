// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { describe, expect, it } from 'vitest'
import { load, refusal } from './fixtures/load-text.ts'
import { SecretError, type SecretResolver } from './secrets/resolver.ts'

function headerOf(value: string): string {
  return `providers: { a: { kind: openai, headers: { x: ${JSON.stringify(value)} } } }`
}

async function resolved(value: string, world: Parameters<typeof load>[1] = {}): Promise<string | undefined> {
  const { config } = await load(headerOf(value), world)
  return config.providers.a?.headers.x?.reveal()
}

describe('resolveReferences', () => {
  it('resolveReferences() reads the environment, within a longer text and more than once', async () => {
    expect(await resolved('Basic ${env:A}:${env:B}!', { env: { A: '1', B: '2' } })).toBe('Basic 1:2!')
  })

  it('resolveReferences() does not resolve what a value contains', async () => {
    expect(await resolved('${env:A}', { env: { A: '${env:B}$&$1', B: 'x' } })).toBe('${env:B}$&$1')
  })

  it('resolveReferences() leaves $${ alone', async () => {
    expect(await resolved('$${env:A} and $5', {})).toBe('${env:A} and $5')
  })

  it('resolveReferences() reads files beside the configuration, without their last line end', async () => {
    const files = { '/home/secrets/key': 'k-1\n', '/run/secrets/key': 'k-2\r\n' }
    expect(await resolved('${file:secrets/key}|${file:/run/secrets/key}', { files })).toBe('k-1|k-2')
  })

  it.each([
    [
      '${env:OPENAI_APIKEY}',
      'the environment variable OPENAI_APIKEY is not set. Did you mean `OPENAI_API_KEY`?',
    ],
    ['${env:EMPTY}', 'the environment variable EMPTY is empty'],
    ['${file:gone}', '/home/gone cannot be read (ENOENT)'],
    ['${file:blank}', '/home/blank is empty'],
    ['${file:huge}', '/home/huge is too large for a secret'],
    ['${enw:A}', 'unknown kind of reference `enw`. Did you mean `env`?'],
    ['${OPENAI_API_KEY}', 'a reference names its kind: write ${env:OPENAI_API_KEY}'],
    ['${ }', 'a reference is written ${kind:name}'],
    ['${env:}', 'a reference is written ${kind:name}'],
  ])('resolveReferences() says where and why it fails (%s)', async (value, message) => {
    const { problems } = await refusal(headerOf(value), {
      env: { OPENAI_API_KEY: 'k', EMPTY: '' },
      files: { '/home/blank': '\n', '/home/huge': 'x'.repeat(70_000) },
    })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatchObject({ line: 1, column: 47, path: 'providers.a.headers.x' })
    expect(problems[0]?.message).toContain(message)
  })

  it('resolveReferences() asks a store once for each reference, and reports its refusal', async () => {
    const asked: string[] = []
    const vault: SecretResolver = {
      scheme: 'vault',
      resolve: async (reference) => {
        asked.push(reference)
        if (reference === 'bad') throw new SecretError('Vault answered 403')
        if (reference === 'worse') throw new TypeError('request with the token hvs.secret failed')
        return `<${reference}>`
      },
    }
    const options = { resolvers: [vault] }
    expect(await resolved('${vault:a/b#c} ${vault:a/b#c}', { options })).toBe('<a/b#c> <a/b#c>')
    expect(asked).toEqual(['a/b#c'])
    expect((await refusal(headerOf('${vault:bad}'), { options })).message).toContain(
      '${vault:bad}: Vault answered 403',
    )
    const { message } = await refusal(headerOf('${vault:worse}'), { options })
    expect(message).toContain('${vault:worse}: failed unexpectedly (TypeError)')
    expect(message).not.toContain('hvs.secret')
  })

  it('resolveReferences() refuses a crowd of references', async () => {
    const models = Array.from({ length: 1001 }, (_, i) => `"\${env:A${i}}"`).join(',')
    const { problems } = await refusal(`server: { trustedProxies: [${models}] }`)
    expect(problems[0]?.message).toBe('more than 1000 references')
  })
})

describe('findLiteralSecrets', () => {
  it.each([
    ['providers: { a: { kind: openai, apiKey: sk-literal } }', 'providers.a.apiKey'],
    ['server: { adminKey: correct-horse-battery }', 'server.adminKey'],
    ['telemetry: { prometheus: { token: literal } }', 'telemetry.prometheus.token'],
    [
      'alerts: { channels: [{ kind: webhook, url: "http://h", secret: literal }] }',
      'alerts.channels[0].secret',
    ],
  ])('findLiteralSecrets() refuses a secret in the file (%s)', async (text, path) => {
    const { problems } = await refusal(text)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatchObject({ path, line: 1 })
    expect(problems[0]?.message).toContain('a secret does not belong in this file')
  })

  it('findLiteralSecrets() warns of a password inside a URL', async () => {
    const { warnings } = await load('storage: { database: "postgres://u:p@h/db" }')
    expect(warnings.map(({ path, line }) => [path, line])).toEqual([['storage.database', 1]])
    const safe = await load('storage: { database: "postgres://u:${env:P}@h/db" }', { env: { P: 'p' } })
    expect(safe.warnings).toEqual([])
  })
})

describe('doubtNames', () => {
  it('doubtNames() warns of names that lead nowhere', async () => {
    const { warnings } = await load(
      [
        'providers: { openai: { kind: openai } }',
        'models: { chat: { targets: [openai/x] } }',
        'tasks: { chat: { model: chta }, code: { model: openai/y }, analysis: { model: chat } }',
        'prices: { overrides: { opnai/x: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 } } }',
      ].join('\n'),
    )
    expect(warnings.map(({ path, line, message }) => `${line} ${path} ${message}`)).toEqual([
      '3 tasks.chat.model `chta` is no route; calls go where a provider knows a model of this name. Did you mean `chat`?',
      '4 prices.overrides["opnai/x"] there is no provider `opnai`, so this price is never used. Did you mean `openai`?',
    ])
  })
})
