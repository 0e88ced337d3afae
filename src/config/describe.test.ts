// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { describe, expect, it } from 'vitest'
import { describeConfig, renderDescription } from './describe.ts'
import { load } from './fixtures/load-text.ts'

const TEXT = `server:
  drainSeconds: 7
providers:
  local:
    kind: openai-compatible
    baseUrl: "\${vault:team/app#url}/v1"
    apiKey: "\${env:LOCAL_KEY}"
    headers: { x-team: "hidden-header" }
    models: [llama3]
models:
  "chat/fast":
    description: "for \${env:TEAM}"
    targets:
      - local/meta/llama-3
      - { provider: openai, model: gpt-4o }
`
const ENV = {
  GATEHOUSE_PORT: '5001',
  OPENAI_API_KEY: 'hidden-openai',
  LOCAL_KEY: 'hidden-local',
  TEAM: 'search',
  DATABASE_URL: 'postgres://u:hidden-password@h/db',
}
const resolvers = [{ scheme: 'vault', resolve: async () => 'http://hidden-host' }]

async function described() {
  return describeConfig(await load(TEXT, { env: ENV, options: { resolvers } }))
}

describe('describeConfig', () => {
  it.each([
    ['server.drainSeconds', 7, 'gatehouse.yaml:2'],
    ['server.port', 5001, 'environment GATEHOUSE_PORT'],
    ['server.host', '127.0.0.1', 'default'],
    ['storage.database', '[secret]', 'environment DATABASE_URL'],
    ['storage.redis', 'none', 'default'],
    ['providers.local.baseUrl', '[secret]', 'gatehouse.yaml:6 ${vault:team/app#url}'],
    ['providers.local.apiKey', '[secret]', 'gatehouse.yaml:7 ${env:LOCAL_KEY}'],
    ['providers.local.headers.x-team', '[secret]', 'gatehouse.yaml:8'],
    ['providers.local.models.llama3', 'llama3', 'gatehouse.yaml:9'],
    ['providers.local.idleTimeoutMs', 120_000, 'default'],
    ['providers.openai.kind', 'openai', 'environment OPENAI_API_KEY'],
    ['providers.openai.apiKey', '[secret]', 'environment OPENAI_API_KEY'],
    ['models["chat/fast"].description', 'for search', 'gatehouse.yaml:12 ${env:TEAM}'],
    ['models["chat/fast"].targets[0].provider', 'local', 'gatehouse.yaml:14'],
    ['models["chat/fast"].targets[0].model', 'meta/llama-3', 'gatehouse.yaml:14'],
    ['models["chat/fast"].targets[1].model', 'gpt-4o', 'gatehouse.yaml:15'],
    ['models["chat/fast"].targets[1].weight', 1, 'default'],
    ['prices.overrides', {}, 'default'],
    ['budgets.default.alertAt', [0.8, 1], 'default'],
  ])('describeConfig() shows %s and where it comes from', async (path, value, source) => {
    const { values } = await described()
    expect(values.find((one) => one.path === path)).toEqual({ path, value, source })
  })

  it('describeConfig() shows every value once and no secret at all', async () => {
    const description = await described()
    const paths = description.values.map(({ path }) => path)
    expect(new Set(paths).size).toBe(paths.length)
    expect(JSON.stringify(description) + renderDescription(description)).not.toContain('hidden')
  })

  it('renderDescription() puts the origins in a column', async () => {
    const lines = renderDescription(await described()).split('\n')
    expect(lines[0]).toBe('# file: /home/gatehouse.yaml')
    expect(lines[1]).toMatch(/^# hash: [0-9a-f]{64}$/)
    expect(lines).toContainEqual(expect.stringMatching(/^server\.port: 5001 +# environment GATEHOUSE_PORT$/))
    const columns = lines.slice(2).map((line) => line.indexOf('  # '))
    expect(Math.min(...columns)).toBeGreaterThan(0)
  })
})
