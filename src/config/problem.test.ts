// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { describe, expect, it } from 'vitest'
import { refusal } from './fixtures/load-text.ts'
import { renderPath, renderProblem } from './problem.ts'

async function messagesOf(text: string, env: Record<string, string> = {}): Promise<string[]> {
  const { problems } = await refusal(text, { env })
  return problems.map(({ path, line, column, message }) => `${line}:${column} ${path} ${message}`)
}

describe('ConfigError', () => {
  it('ConfigError shows file, line, column, the line itself and a caret', async () => {
    const { message } = await refusal('server:\n  host: h\n  prot: 4000\n')
    expect(message).toBe(
      [
        'gatehouse.yaml:3:3: server.prot: unknown key. Did you mean `port`?',
        '  3 |   prot: 4000',
        '    |   ^^^^',
      ].join('\n'),
    )
  })

  it('ConfigError has all problems at once, in the order of the file', async () => {
    const text = [
      'server: { port: 70000, hots: x }',
      'providers:',
      '  openai: { kind: opnai }',
      '  b: { onCancel: drian, baseUrl: "ftp://x" }',
      '  b: { kind: openai }',
      'models:',
      '  chat:',
      '    targets: [opena/gpt, { provider: anthropic, modl: x }, 5]',
      '    cache: agressive',
      '  "a b": { targets: [] }',
      '  auto: { targets: [openai/x] }',
      'tasks: { sumarization: { model: x } }',
      'alerts: { channels: [{ kind: slak }] }',
      'limits: { default: { requestsPerMinute: -1, onLimit: { queueMs: 1 } } }',
    ].join('\n')
    expect(await messagesOf(text)).toEqual([
      '1:17 server.port must be a whole number from 0 to 65535; found `70000`.',
      '1:24 server.hots unknown key. Did you mean `host`?',
      '3:19 providers.openai.kind there is no kind of provider `opnai`. Did you mean `openai`?',
      '5:3  this key stands here twice',
      '8:15 models.chat.targets[0] there is no provider `opena`. Did you mean `openai`?',
      '8:26 models.chat.targets[1].model is missing; it must be a text that is not empty',
      '8:38 models.chat.targets[1].provider there is no provider `anthropic`. Known: `openai`, `b`.',
      '8:49 models.chat.targets[1].modl unknown key. Did you mean `model`?',
      '8:60 models.chat.targets[2] must be a text, or a map; found `5`.',
      '9:12 models.chat.cache must be one of `none`, `conservative`, `moderate`, `aggressive`, or a map; found "agressive". Did you mean `aggressive`?',
      '10:3 models["a b"] is no name for a model: letters, digits and . _ : / @ + -, 256 at most, a letter or digit first',
      '11:3 models.auto is reserved: `auto` means that the task picks the model',
      '12:10 tasks.sumarization unknown key. Did you mean `summarization`?',
      '13:30 alerts.channels[0].kind must be one of `slack`, `teams`, `discord`, `webhook`, `email`, `pagerduty`; found "slak". Did you mean `slack`?',
      '14:41 limits.default.requestsPerMinute must be a whole number, 0 or more, or `null`; found `-1`.',
      '14:45 limits.default.onLimit.queueMax is missing; it must be a whole number from 1 to 100000',
    ])
  })

  it.each([
    ['server: [1', '1:11'],
    ['a: "x\nb: c', '2:5'],
    ['server:\n  port: 1\n port: 2', '3:1'],
    ['server: {}\n---\nserver: {}', '2:1'],
    ['server: { host: *nobody }', '1:17'],
    ['server: { host: !env HOST }', '1:17'],
  ])('ConfigError points into a file that is no YAML (%j)', async (text, place) => {
    const [first] = await messagesOf(text)
    expect(first?.split(' ')[0]).toBe(place)
  })

  it.each([
    ['just a text', '1:1  must be a map; found "just a text".'],
    ['- 1', '1:1  must be a map; found a list.'],
    ['server: text', '1:9 server must be a map; found "text".'],
    ['providers: { a: }', '1:14 providers.a must be a map; found nothing.'],
    ['providers: { "a/b": { kind: openai } }', '1:14 providers["a/b"] is no name for a provider:'],
    [
      'providers: { a: { kind: openai, headers: { "x y": z } } }',
      '1:44 providers.a.headers["x y"] is no name for a header',
    ],
    [
      'providers: { a: { kind: openai, baseUrl: host } }',
      '1:42 providers.a.baseUrl must be a URL that begins with',
    ],
    [
      'providers: { a: { kind: openai, idleTimeoutMs: 0.5 } }',
      '1:48 providers.a.idleTimeoutMs must be a whole number',
    ],
    [
      'server: { trustedProxies: [10.0.0.0/8, 10.0.0.0/33] }',
      '1:40 server.trustedProxies[1] must be an IP address',
    ],
    [
      'budgets: { default: { alertAt: [80] } }',
      '1:33 budgets.default.alertAt[0] must be a number above 0, up to 10',
    ],
    [
      'models: { a: { targets: [] } }',
      '1:25 models.a.targets must be a list that is not empty; found a list.',
    ],
    [
      'providers: { a: { kind: openai } }\nmodels: { m: { targets: [{ provider: a, model: m, weight: 0 }] } }',
      '2:25 models.m.targets must have a target with a weight above 0',
    ],
    [
      'providers: { a: { kind: openai } }\nmodels: { m: { targets: [a] } }',
      '2:26 models.m.targets[0] must be `provider/model`',
    ],
    [
      'prices: { overrides: { gpt-4o: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 } } }',
      '1:24 prices.overrides.gpt-4o must be `provider/model`',
    ],
    [
      'storage: { database: "mysql://x" }',
      '1:22 storage.database must be `embedded` or a URL that begins with postgres:// or postgresql://',
    ],
    [
      'storage: { journal: redis, redis: none }',
      '1:21 storage.journal `redis` needs the URL of one in `storage.redis`',
    ],
    [
      'models: { a: { targets: [x/y] } }',
      '1:26 models.a.targets[0] there is no provider `x`. None is configured.',
    ],
    ['__proto__: { polluted: 1 }', '1:1  this name cannot be used'],
    ['providers: { __proto__: { kind: openai } }', '1:14  this name cannot be used'],
    ['providers: { ? [a] : { kind: openai } }', '1:16  With stringKeys, all keys must be strings'],
  ])('ConfigError says what belongs there (%s)', async (text, expected) => {
    const messages = await messagesOf(text)
    expect(messages[0]).toContain(expected)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it('ConfigError refuses aliases that would grow without bound', async () => {
    const levels = Array.from({ length: 12 }, (_, i) => {
      const items =
        i === 0
          ? 'x'
          : Array(9)
              .fill(`*l${i - 1}`)
              .join(',')
      return `l${i}: &l${i} [${items}]`
    })
    expect((await refusal(levels.join('\n'))).problems[0]?.message).toContain('alias')
  })

  it('ConfigError refuses a file without bound', async () => {
    expect((await refusal(`# ${'x'.repeat(5_000_000)}`)).message).toBe(
      'gatehouse.yaml: is larger than 4194304 characters',
    )
  })

  it.each([
    'providers: { a: { kind: openai, apikey: sk-hidden-hidden } }',
    'providers: { a: { kind: openai, apiKey: "sk-hidden-hidden" } }',
    'providers: { a: { kind: openai, url: "https://me:hidden@host/" } }',
    'storage: { database: "postgres://me:hidden@host/db", redsi: 1 }',
    'providers: { a: { kind: openai, headers: { authorization: "Bearer hidden" }, x: 1 } }',
    'providers: { a: { kind: openai, note: "sk-hidden-hidden-hidden-hidden" } }',
    'server: { adminKey: hidden }',
    'server: { adminKey: >-\n  hidden\n  hidden, prot: 1 }',
    'server:\n  adminKey: |\n    hidden\n    hidden\n  prot: 1',
    'alerts: { channels: [{ kind: slak, url: "https://hooks.slack.com/hidden" }] }',
    'alerts: { channels: [{ kind: webhook, url: "https://example.org/hidden", x: 1 }] }',
    'alerts: { channels: [{ kind: slack, url: "https://hooks.slack.com/hidden" }] }',
    '{"providers":{"a":{"kind":"openai","api_key":"hidden"}}}',
  ])('ConfigError repeats no secret that stands in the file (%s)', async (text) => {
    const error = await refusal(text)
    expect(error.message).not.toContain('hidden')
    expect(JSON.stringify(error.problems)).not.toContain('hidden')
  })
})

describe('renderProblem', () => {
  it('renderProblem() shows the part of a very long line that matters', async () => {
    const providers = Array.from({ length: 50 }, (_, i) => `"p${i}":{"kind":"openai"}`).join(',')
    const { message } = await refusal(
      `{"providers":{${providers}},"models":{"m":{"targets":["p0/x"],"retires":1}}}`,
    )
    const [, line, caret] = message.split('\n')
    expect(line?.length).toBeLessThan(180)
    expect(line?.slice(caret?.indexOf('^'))).toMatch(/^"retires"/)
  })

  it('renderProblem() keeps the caret below its word behind tabs', () => {
    const text = renderProblem({
      path: 'a',
      message: 'm',
      file: 'f',
      line: 12,
      column: 3,
      excerpt: { text: '\t\tword', caret: 2, width: 4 },
    })
    expect(text).toBe('f:12:3: a: m\n  12 | \t\tword\n     | \t\t^^^^')
  })
})

describe('renderPath', () => {
  it('renderPath() writes what people write', () => {
    expect(renderPath(['models', 'gpt-4o', 'targets', 0, 'provider'])).toBe(
      'models.gpt-4o.targets[0].provider',
    )
    expect(renderPath(['prices', 'a/b.c', 'x'])).toBe('prices["a/b.c"].x')
  })
})
