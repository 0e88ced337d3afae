import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startCommand } from './support/command.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

describe('a call under way when the gateway is killed', () => {
  it('is charged for what it had come to, once, and marked as estimated', async () => {
    const home = mkdtempSync(join(tmpdir(), 'gatehouse-home-'))
    undo.push(() => rmSync(home, { recursive: true, force: true }))
    const serve = async () => {
      const command = startCommand(['serve', '--port', '0'], { cwd: home })
      undo.push(async () => {
        command.process.kill('SIGKILL')
        await command.ended
      })
      const [, url = ''] = await command.waitFor(/Gateway +(http:\S+)\/v1/)
      return { command, url }
    }
    const first = await serve()
    const [, key = ''] = await first.command.waitFor(/First key +(gh-\S+)/)
    const [, admin = ''] = await first.command.waitFor(/Admin key +(gha-\S+)/)
    const response = await fetch(`${first.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'x-sim': 'tps=50',
      },
      body: JSON.stringify({
        model: 'sim/fixed-20-5000',
        stream: true,
        messages: [{ role: 'user', content: 'one two' }],
      }),
    })
    const reader = response.body?.getReader()
    // Half a second of it: long enough to be written down.
    for (let chunks = 0; chunks < 40; chunks++) await reader?.read()
    first.command.process.kill('SIGKILL')
    await first.command.ended
    await reader?.cancel().catch(() => undefined)

    const id = response.headers.get('x-request-id')
    for (let start = 0; start < 2; start++) {
      const again = await serve()
      const found = await fetch(`${again.url}/api/v1/requests?limit=10`, {
        headers: { authorization: `Bearer ${admin}` },
      })
      const { data } = (await found.json()) as { data: { id: string; tokensOutput: number }[] }
      expect(data).toMatchObject([{ id, errorCode: 'internal_error', estimated: true, provider: 'sim' }])
      expect(data[0]?.tokensOutput).toBeGreaterThan(0)
      again.command.process.kill('SIGKILL')
      await again.command.ended
    }
  }, 60_000)
})
