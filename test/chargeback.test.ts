import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ledgerRow } from '../src/storage/ledger-row-fixture.ts'
import { runCommand } from './support/command.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

describe('/api/v1/reports', () => {
  let house: TestGateway
  let nowMs = Date.UTC(2026, 1, 10, 12)

  beforeAll(async () => {
    house = await startGateway({ clock: { now: () => nowMs, monotonicMs: () => performance.now() } })
  })
  afterAll(() => house.close())

  async function api(method: string, path: string, body?: unknown) {
    const response = await fetch(`${house.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${house.adminKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      text: bytes.toString(),
      // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
      json: () => JSON.parse(bytes.toString()) as any,
    }
  }

  async function ask(key: string, headers: Record<string, string> = {}): Promise<void> {
    const response = await fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, ...headers },
      body: JSON.stringify({
        model: 'openai/gpt-4o',
        messages: [{ role: 'user', content: 'one two three' }],
      }),
    })
    await response.arrayBuffer()
    expect(response.status).toBe(200)
  }

  it('GET and POST take a month from the first call to its closed statement', async () => {
    const { id, key } = await house.newOrganization('=Acme "Ltd"')
    await ask(key, { 'x-gatehouse-tags': 'deal=D-17,cycle=3', 'x-gatehouse-task': 'summarization' })
    await ask(key, { 'x-gatehouse-user': '+49 30 1234' })
    await ask(house.key)
    await house.ledger()

    const month = '/reports/cost-allocation?month=2026-02'
    const usage = (
      await api('GET', `/usage?organizationId=${id}&from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z`)
    ).json().data[0]
    const open = await api('GET', `${month}&organizationId=${id}`)
    expect(open.json()).toMatchObject({
      month: '2026-02',
      status: 'open',
      organizationName: '=Acme "Ltd"',
      totals: {
        requests: 2,
        costUsd: usage.costUsd,
        costNanoUsd: usage.costNanoUsd,
        tokensInput: usage.tokensInput,
        tokensOutput: usage.tokensOutput,
      },
      breakdowns: { model: [{ id: 'openai/gpt-4o', requests: 2 }], key: [{ name: 'a key' }] },
    })
    expect(usage.costNanoUsd).toBeGreaterThan(0)
    expect(
      open
        .json()
        .breakdowns.deal.map((line: { id: string | null }) => line.id)
        .sort(),
    ).toEqual(['D-17', null])

    const all = (await api('GET', month)).json()
    expect(all).toMatchObject({ status: 'open', totals: { requests: 3 }, nextCursor: null })
    expect(all.data).toHaveLength(2)
    const first = (await api('GET', `${month}&limit=1`)).json()
    const second = (await api('GET', `${month}&limit=1&cursor=${first.nextCursor}`)).json()
    expect([...first.data, ...second.data]).toEqual(all.data)

    const refused = await api('POST', '/reports/close', { month: '2026-02' })
    expect(refused).toMatchObject({ status: 400 })
    expect(refused.json().error).toMatchObject({ code: 'invalid_request', param: 'month' })
    expect((await api('POST', '/reports/replay', { month: '2026-02' })).status).toBe(409)

    nowMs = Date.UTC(2026, 2, 2, 9)
    const closing = await api('POST', '/reports/close', { month: '2026-02' })
    expect(closing).toMatchObject({ status: 200 })
    expect(closing.json()).toMatchObject({ alreadyClosed: false, statements: 2, totals: { requests: 3 } })
    const paths = ['json', 'csv', 'pdf', 'focus', 'focus&focusVersion=1.3'].map(
      (format) => `${month}&organizationId=${id}&format=${format}`,
    )
    const closed = await Promise.all(paths.map((path) => api('GET', path)))
    expect(closed[0]?.json()).toMatchObject({ status: 'closed', totals: open.json().totals })
    expect(closed.map(({ headers }) => headers.get('content-type')?.split(';')[0])).toEqual([
      'application/json',
      'text/csv',
      'application/pdf',
      'text/csv',
      'text/csv',
    ])
    expect(closed[1]?.text).toContain(`,"'=Acme ""Ltd""",total,`)
    expect(closed[1]?.text).toContain(`,user,'+49 30 1234,'+49 30 1234,`)
    expect(closed[2]?.headers.get('content-disposition')).toBe(
      `attachment; filename="cost-allocation-2026-02-${id}.pdf"`,
    )
    expect(closed[3]?.text.split('\r\n')).toHaveLength(3)

    // Late usage, as a batch that is booked when it is over.
    await house.gateway.ledgerStore.write([
      ledgerRow({
        id: 'late',
        organizationId: id,
        costNanoUsd: 42,
        createdAt: new Date(Date.UTC(2026, 1, 27)),
      }),
    ])
    await house.gateway.identityStore.updateOrganization(id, { name: 'Renamed' })
    const again = await Promise.all(paths.map((path) => api('GET', path)))
    expect(again.map(({ bytes }) => bytes.toString('base64'))).toEqual(
      closed.map(({ bytes }) => bytes.toString('base64')),
    )
    expect((await api('POST', '/reports/close', { month: '2026-02' })).json()).toEqual({
      ...closing.json(),
      alreadyClosed: true,
    })
    expect((await api('POST', '/reports/replay', { month: '2026-02' })).json()).toMatchObject({
      equal: true,
      statements: 2,
      different: [],
    })
    expect(
      (await api('GET', `/reports/cost-allocation?month=2026-03&organizationId=${id}`)).json(),
    ).toMatchObject({
      organizationName: 'Renamed',
      status: 'open',
      totals: { costNanoUsd: 42, adjustmentUsd: '0.000000042' },
      adjustments: [{ month: '2026-02', costNanoUsd: 42 }],
    })
  })

  it('GET serves a file inside of JSON where that is asked for', async () => {
    const plain = await api('GET', '/reports/cost-allocation?month=2026-02&format=csv')
    const inside = await api('GET', '/reports/cost-allocation?month=2026-02&format=csv&encoding=base64')
    const { base64, fileName } = inside.json() as { base64: string; fileName: string }
    expect(Buffer.from(base64, 'base64').equals(plain.bytes)).toBe(true)
    expect(fileName).toBe('cost-allocation-2026-02-all.csv')
  })

  it.each([
    ['month=2026-13', 400, 'month'],
    ['', 400, 'month'],
    ['month=2026-02&format=xls', 400, 'format'],
    ['month=2026-02&format=csv&organizationId=nobody', 404, null],
    ['month=2026-02&organizationId=nobody', 404, null],
  ])('GET with %j answers %d', async (query, status, param) => {
    const reply = await api('GET', `/reports/cost-allocation?${query}`)
    expect(reply.status).toBe(status)
    if (param !== null) expect(reply.json().error.param).toBe(param)
  })

  it('GET and POST are for the control API alone', async () => {
    for (const [method, path] of [
      ['GET', '/reports/cost-allocation?month=2026-02'],
      ['POST', '/reports/close'],
      ['POST', '/reports/replay'],
    ] as const) {
      const response = await fetch(`${house.url}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${house.key}` },
      })
      expect(response.status).toBe(401)
    }
  })
})

describe('gatehouse cost-allocation', () => {
  it('cost-allocation prints, writes, closes and verifies', async () => {
    const house = await startGateway({
      clock: { now: () => Date.UTC(2026, 2, 2), monotonicMs: () => performance.now() },
    })
    const home = await mkdtemp(join(tmpdir(), 'gatehouse-chargeback-'))
    const { database } = house
    await database.query(`INSERT INTO organizations (id, name, slug) VALUES ('o1', 'Acme', 'acme')`)
    await house.gateway.ledgerStore.write([
      ledgerRow({
        id: 'r1',
        organizationId: 'o1',
        userId: 'anna',
        costNanoUsd: 1_500_000_001,
        createdAt: new Date('2026-02-03T00:00:00Z'),
      }),
    ])
    const run = async (...words: string[]) => {
      const ended = await runCommand(['cost-allocation', ...words], {
        cwd: home,
        env: { GATEHOUSE_PORT: new URL(house.url).port, GATEHOUSE_ADMIN_KEY: house.adminKey },
      })
      return { ...ended, all: ended.stdout + ended.stderr }
    }
    try {
      const shown = await run('--month', '2026-02', '--org', 'acme')
      expect(shown.all).toMatch(/Acme {2}2026-02 {2}open[\s\S]*1\.500000001[\s\S]*anna/)
      expect(shown.code).toBe(0)
      expect((await run('--month', '2026-02', '--close', '--dry-run')).all).toContain('Would close 2026-02')
      expect(await run('--month', '2026-02', '--verify')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('is not closed'),
      })
      expect((await run('--month', '2026-02', '--close')).all).toContain('2026-02 is closed: 1 statements')
      expect(await run('--month', '2026-02', '--verify')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('to the nano-dollar'),
      })
      const file = join(home, 'acme.pdf')
      await run('--month', '2026-02', '--format', 'pdf', '--output', file)
      expect((await readFile(file)).subarray(0, 5).toString()).toBe('%PDF-')
      expect((await run('--month', '2026-02', '--format', 'focus')).stdout).toMatch(
        /^BilledCost,.*\r\n1\.500000001,/,
      )
      expect(JSON.parse((await run('--month', '2026-02', '--json')).stdout)).toMatchObject({
        status: 'closed',
        data: [{ organizationId: 'o1', totals: { costUsd: '1.500000001' } }],
      })

      await database.query(`UPDATE ledger SET cost_nano_usd = cost_nano_usd - 1 WHERE id = 'r1'`)
      const differing = await run('--month', '2026-02', '--verify')
      expect(differing.code).toBe(1)
      expect(differing.stdout).toMatch(/total +– +costUsd +1\.500000001 +1\.5 +-0\.000000001/)
      expect((await run('--month', '2026-2')).code).toBe(2)
    } finally {
      await rm(home, { recursive: true, force: true })
      await house.close()
    }
  }, 120_000)
})
