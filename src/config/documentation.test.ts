import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { KINDS } from './fixtures/load-text.ts'
import { configJsonSchema } from './json-schema.ts'
import { loadConfig } from './load.ts'
import { referenceTables } from './reference-tables.ts'

const ROOT = new URL('../../', import.meta.url)

describe('docs/configuration.md', () => {
  const page = readFile(new URL('docs/configuration.md', ROOT), 'utf8')

  it.each([...referenceTables(configJsonSchema())])(
    'referenceTables() are what the page says about `%s` (schemaCommand() prints them as Markdown)',
    async (name, table) => {
      const section = (await page).split(`\n### ${name}\n`)[1]?.split('\n### ')[0] ?? ''
      const lines = section.split('\n').filter((line) => line.startsWith('|'))
      expect(lines.join('\n')).toBe(table)
    },
  )

  it('environment.ts reads every variable that the page lists', async () => {
    const listed = [...(await page).matchAll(/^\| `([A-Z_`, ]+)`/gm)].flatMap(
      ([, names]) => names?.match(/[A-Z_]+/g) ?? [],
    )
    const folder = new URL('src/config/', ROOT)
    const sources = ['environment.ts', 'environment-providers.ts', 'load.ts', 'secrets/azure-key-vault.ts']
    const code = (await Promise.all(sources.map((file) => readFile(new URL(file, folder), 'utf8')))).join(
      '\n',
    )
    expect(listed.length).toBeGreaterThan(20)
    expect(listed.filter((name) => !code.includes(name))).toEqual([])
  })
})

describe('gatehouse.example.yaml', () => {
  const file = new URL('gatehouse.example.yaml', ROOT)

  it('loadConfig() accepts the example as it stands', async () => {
    const env = {
      GATEHOUSE_CONFIG: file.pathname,
      OPENAI_API_KEY: 'a',
      ANTHROPIC_API_KEY: 'b',
      GEMINI_API_KEY: 'c',
    }
    const { config, warnings } = await loadConfig({ knownKinds: KINDS, env, cwd: ROOT.pathname })
    expect(warnings.filter(({ message }) => !message.includes('not in force'))).toEqual([])
    expect(Object.keys(config.models)).not.toEqual([])
  })

  it('loadConfig() accepts the example with every commented line switched on', async () => {
    const text = await readFile(file, 'utf8')
    // Lines that can be switched on begin with `#` and no blank, explanations with `# `; what is switched on takes
    // the place of the same key in the line above.
    const all = text.replace(/^( *)(\w+):.*\n\1#\2:/gm, '$1$2:').replace(/^( *)#(?=[^\s#])/gm, '$1')
    expect(all).not.toBe(text)
    const names = [...all.matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => name ?? '')
    const env: Record<string, string> = Object.fromEntries(names.map((name) => [name, `value-of-${name}`]))
    const { config, warnings } = await loadConfig({
      knownKinds: KINDS,
      env: { ...env, MASTER_KEY: Buffer.alloc(32).toString('base64'), GATEHOUSE_CONFIG: '/x/gatehouse.yaml' },
      readFile: async (path) => (path === '/x/gatehouse.yaml' ? all : 'text of a secret file'),
      resolvers: ['vault', 'azure-kv', 'aws-sm', 'gcp-sm'].map((scheme) => ({
        scheme,
        resolve: async () => 'text of a stored secret',
      })),
    })
    expect(warnings.filter(({ message }) => !message.includes('not in force'))).toEqual([])
    const sections = [...referenceTables(configJsonSchema()).keys()]
    expect(sections.filter((name) => !new RegExp(`^${name}:`, 'm').test(all))).toEqual([])
    expect(config.alerts.channels.length).toBeGreaterThan(3)
  })
})
