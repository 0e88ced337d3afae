import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSimulator, type Simulator } from '../src/simulator/server.ts'
import { type RunningCommand, runCommand, startCommand } from './support/command.ts'

vi.setConfig({ testTimeout: 60_000 })

let home: string
let commands: RunningCommand[]

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'gatehouse-serve-'))
  commands = []
})

afterEach(async () => {
  for (const command of commands) command.process.kill('SIGKILL')
  await Promise.all(commands.map(({ ended }) => ended))
  await rm(home, { recursive: true, force: true })
})

interface Served {
  readonly command: RunningCommand
  readonly url: string
}

async function serve(env: Readonly<Record<string, string>> = {}): Promise<Served> {
  const command = startCommand(['serve', '--port', '0', '--log-level', 'info'], { cwd: home, env })
  commands.push(command)
  const [, url = ''] = await command.waitFor(/Gateway +(http:\S+)\/v1/)
  return { command, url }
}

async function keysOf({ command }: Served): Promise<{ key: string; admin: string }> {
  const [, key = ''] = await command.waitFor(/First key +(gh-\S+)/)
  const [, admin = ''] = await command.waitFor(/Admin key +(gha-\S+)/)
  return { key, admin }
}

function ask(
  url: string,
  key: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'one two three four five' }], ...body }),
  })
}

describe('gatehouse serve', () => {
  it('serves with nothing configured, prints its keys once and keeps them', async () => {
    const first = await serve()
    const { key, admin } = await keysOf(first)
    const reply = await ask(first.url, key, { model: 'sim/echo' })
    expect(reply.status).toBe(200)
    expect(await reply.json()).toMatchObject({
      choices: [{ message: { content: 'one two three four five' }, finish_reason: 'stop' }],
    })
    first.command.process.kill('SIGTERM')
    expect(await first.command.ended).toBe(0)

    const second = await serve()
    expect(second.command.stdout()).not.toMatch(/gha?-/)
    expect((await ask(second.url, key, { model: 'sim/echo' })).status).toBe(200)
    const usage = await fetch(`${second.url}/api/v1/usage`, { headers: { authorization: `Bearer ${admin}` } })
    expect(await usage.json()).toMatchObject({ data: [{ requests: 2 }] })
    expect((await ask(second.url, admin, { model: 'sim/echo' })).status, 'the admin key opens no model').toBe(
      401,
    )
  })

  it('finishes a stream that is under way on SIGTERM, refuses new calls, and ends with 0', async () => {
    const served = await serve()
    const { key } = await keysOf(served)
    const response = await ask(served.url, key, { model: 'sim/echo', stream: true }, { 'x-sim': 'tps=10' })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    let text = new TextDecoder().decode((await reader.read()).value)
    served.command.process.kill('SIGTERM')
    await served.command.waitFor(/draining/, 'stderr')
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += new TextDecoder().decode(part.value)
    }
    expect(text).toContain('five')
    expect(text).toContain('[DONE]')
    await expect(ask(served.url, key, { model: 'sim/echo' })).rejects.toThrow()
    expect(await served.command.ended).toBe(0)
  })

  it('puts a changed file in force and keeps the last good one when a change is wrong', async () => {
    const simulator: Simulator = createSimulator()
    const { url: upstream } = await simulator.listen()
    const file = join(home, 'gatehouse.yaml')
    const write = async (text: string) => {
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
    }
    const config = (route: string) =>
      `providers:\n  up: { kind: openai, baseUrl: "${upstream}/v1" }\nmodels:\n  ${route}: { targets: [up/echo] }\n`
    try {
      await write(config('first'))
      const served = await serve()
      const { key } = await keysOf(served)
      expect((await ask(served.url, key, { model: 'first' })).status).toBe(200)
      expect((await ask(served.url, key, { model: 'second' })).status).toBe(404)

      await write(config('second'))
      await served.command.waitFor(/configuration changed/, 'stderr')
      expect((await ask(served.url, key, { model: 'second' })).status).toBe(200)
      expect((await ask(served.url, key, { model: 'first' })).status).toBe(404)

      await write(`${config('third')}nonsense: 1\n`)
      served.command.process.kill('SIGHUP')
      await served.command.waitFor(/configuration refused/, 'stderr')
      expect((await ask(served.url, key, { model: 'second' })).status).toBe(200)
      served.command.process.kill('SIGTERM')
      expect(await served.command.ended).toBe(0)
    } finally {
      await simulator.close()
    }
  })

  it('refuses a weak admin key, a broken configuration and a data directory in use, each with a sentence', async () => {
    const weak = await runCommand(['serve', '--port', '0'], {
      cwd: home,
      env: { GATEHOUSE_ADMIN_KEY: 'admin' },
    })
    expect(weak).toMatchObject({ code: 2, stdout: '' })
    expect(weak.stderr).toMatch(/at least 16 characters/)

    await writeFile(join(home, 'gatehouse.yaml'), 'sever: { port: 1 }\n')
    const broken = await runCommand(['serve'], { cwd: home })
    expect(broken.code).toBe(2)
    expect(broken.stderr).toMatch(/gatehouse\.yaml:1:1/)
    expect(broken.stderr).toMatch(/Did you mean `server`/)
    await rm(join(home, 'gatehouse.yaml'))

    await serve()
    const second = await runCommand(['serve', '--port', '0'], { cwd: home })
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(/another process|in use/i)
    expect(second.stderr).not.toMatch(/ at .*\.ts:/)
  })
})

describe('gatehouse', () => {
  it('explains itself and refuses what it does not know with exit code 2', async () => {
    const help = await runCommand(['--help'], { cwd: home })
    expect(help.code).toBe(0)
    for (const name of [
      'serve',
      'init',
      'config',
      'migrate',
      'orgs',
      'keys',
      'usage',
      'providers',
      'simulate',
    ]) {
      expect(help.stdout).toContain(name)
    }
    const unknown = await runCommand(['sreve'], { cwd: home })
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toMatch(/Did you mean serve/)
    expect((await runCommand(['serve', '--nope'], { cwd: home })).code).toBe(2)
  })

  it('works on the stores where no gateway runs, and asks one that runs', async () => {
    const env = { GATEHOUSE_ADMIN_KEY: 'a-long-enough-admin-key-for-this' }
    const made = await runCommand(['orgs', 'create', 'Acme Ltd', '--json'], { cwd: home, env })
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(made.stdout)).toMatchObject({ name: 'Acme Ltd', slug: 'acme-ltd' })
    const dry = await runCommand(['keys', 'create', 'ci', '--org', 'acme-ltd', '--dry-run'], {
      cwd: home,
      env,
    })
    expect(dry.stdout).toMatch(/^Would make the key ci/)
    const key = (
      await runCommand(['keys', 'create', 'ci', '--org', 'acme-ltd'], { cwd: home, env })
    ).stdout.trim()
    expect(key).toMatch(/^gh-/)

    const { url } = await serve(env)
    const running = { ...env, GATEHOUSE_PORT: new URL(url).port }
    expect((await ask(url, key, { model: 'sim/echo' })).status).toBe(200)
    const usage = await runCommand(['usage', '--json'], { cwd: home, env: running })
    expect(JSON.parse(usage.stdout)).toMatchObject([{ model: 'echo', requests: 1 }])
    const table = await runCommand(['usage'], { cwd: home, env: running })
    expect(table.stdout).toMatch(/model +requests/)
    const missing = await runCommand(['keys', 'revoke', 'nope'], { cwd: home, env: running })
    expect(missing).toMatchObject({ code: 1, stdout: '' })
    expect(missing.stderr).toBe('There is no key `nope`.\n')
  })
})
