// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { describe, expect, it } from 'vitest'
import { checkCommand, schemaCommand, showCommand } from './commands.ts'
import { worldOf } from './fixtures/load-text.ts'

const GOOD =
  'providers: { a: { kind: openai } }\nmodels: { m: { targets: [a/x] } }\ntasks: { chat: { model: n } }'

describe('checkCommand', () => {
  it('checkCommand() ends with 0 where all is well, warnings included', async () => {
    const { text, json, exitCode } = await checkCommand(worldOf(GOOD))
    expect(exitCode).toBe(0)
    expect(text.split('\n')[0]).toContain('warning: gatehouse.yaml:3:25: tasks.chat.model: `n` is no route')
    expect(text.split('\n').at(-1)).toBe('/home/gatehouse.yaml: valid, 1 provider, 1 route.')
    expect(json).toMatchObject({
      valid: true,
      file: '/home/gatehouse.yaml',
      problems: [],
      warnings: [{ line: 3 }],
    })
  })

  it('checkCommand() ends with 1 and every problem', async () => {
    const { text, json, exitCode } = await checkCommand(worldOf('server: { prot: 1, hots: 2 }'))
    expect(exitCode).toBe(1)
    expect(text).toContain('gatehouse.yaml:1:20: server.hots: unknown key. Did you mean `host`?')
    expect(text.split('\n').at(-1)).toBe('2 problems found.')
    const place = { file: 'gatehouse.yaml', line: 1, message: 'unknown key. Did you mean `port`?' }
    expect(json).toMatchObject({
      valid: false,
      problems: [{ path: 'server.prot', column: 11, ...place }, {}],
    })
    expect(JSON.stringify(json)).not.toContain('excerpt')
  })

  it('checkCommand() says so where there is no file', async () => {
    expect((await checkCommand(worldOf(undefined))).text).toBe(
      'No file; environment and defaults: valid, 0 providers, 0 routes.',
    )
  })
})

describe('showCommand', () => {
  it('showCommand() shows what is in force', async () => {
    const { text, json, exitCode } = await showCommand(worldOf(GOOD))
    expect(exitCode).toBe(0)
    expect(text).toContain('models.m.targets[0].provider: a')
    expect(json).toMatchObject({ file: '/home/gatehouse.yaml', values: expect.any(Array) })
  })

  it('showCommand() ends with 1 where nothing can be shown', async () => {
    expect((await showCommand(worldOf('servr: {}'))).exitCode).toBe(1)
  })
})

describe('schemaCommand', () => {
  it('schemaCommand() prints the JSON Schema, or tables', () => {
    const { text, json } = schemaCommand()
    expect(JSON.parse(text)).toEqual(json)
    expect(schemaCommand('markdown').text).toMatch(/^# Gatehouse configuration\n/)
  })
})
