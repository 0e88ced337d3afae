import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { anthropicKind } from '../providers/anthropic/kind.ts'
import { createProvider } from '../providers/provider-set.ts'
import { simulatorKind } from '../providers/simulator-kind.ts'
import { hasModelList, probeModelList } from './model-list-probe.ts'
import { openProbes, type Probes } from './probes.ts'

const MINUTE = 60_000

describe('openProbes()', () => {
  let probes: Probes | undefined
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(async () => {
    await probes?.close()
    vi.useRealTimers()
  })

  function start(probe: (provider: string, signal: AbortSignal) => Promise<void>, calledMs = -Infinity) {
    const results: [string, boolean, string | undefined][] = []
    probes = openProbes({
      providers: () => ['a', 'b', 'c', 'd', 'e', 'f'],
      probe,
      lastCallMs: (provider) => (provider === 'b' ? calledMs : -Infinity),
      onResult: (provider, { ok, reason }) => results.push([provider, ok, reason]),
      clock: { now: () => Date.now(), monotonicMs: () => Date.now() },
      random: () => 0.999,
    })
    return results
  }

  it('asks everybody once a minute, and says who is not there', async () => {
    const results = start(async (provider) => {
      if (provider === 'c') throw new Error('refused')
    })
    await vi.advanceTimersByTimeAsync(MINUTE - 100)
    expect(results).toEqual([])
    await vi.advanceTimersByTimeAsync(100)
    expect(results.toSorted()).toEqual([
      ['a', true, undefined],
      ['b', true, undefined],
      ['c', false, 'refused'],
      ['d', true, undefined],
      ['e', true, undefined],
      ['f', true, undefined],
    ])
    await vi.advanceTimersByTimeAsync(5 * MINUTE)
    expect(results).toHaveLength(36)
  })

  it('does not ask whoever is called', async () => {
    const results = start(async () => {}, Date.now() + 1000)
    await vi.advanceTimersByTimeAsync(MINUTE)
    expect(results.map(([provider]) => provider).toSorted()).toEqual(['a', 'c', 'd', 'e', 'f'])
    await vi.advanceTimersByTimeAsync(MINUTE)
    expect(results.map(([provider]) => provider)).toContain('b')
  })

  it('asks four at a time, and ends those under way when it is closed', async () => {
    const asked: string[] = []
    start((provider, signal) => {
      asked.push(provider)
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await vi.advanceTimersByTimeAsync(MINUTE)
    expect(asked).toHaveLength(4)
    await probes?.close()
    await vi.advanceTimersByTimeAsync(10 * MINUTE)
    expect(asked).toHaveLength(4)
  })
})

describe('probeModelList()', () => {
  async function serve(status: number) {
    const paths: string[] = []
    const server = createServer((request, response) => {
      paths.push(`${request.method} ${request.url} ${request.headers['x-api-key'] === undefined}`)
      response.writeHead(status).end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const provider = createProvider('p', anthropicKind, {
      kind: 'anthropic',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      headers: {},
      connectTimeoutMs: 1000,
      firstByteTimeoutMs: 1000,
      idleTimeoutMs: 1000,
      onCancel: 'abort',
    })
    return {
      provider,
      paths,
      async close() {
        await provider.destroy()
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  it.each([200, 404, 429])('takes an answer with status %i for a sign of life', async (status) => {
    const { provider, paths, close } = await serve(status)
    await probeModelList(provider, AbortSignal.timeout(5000))
    expect(paths).toEqual(['GET /v1/models true'])
    await close()
  })

  it.each([401, 403, 500, 529])('does not take status %i for one', async (status) => {
    const { provider, close } = await serve(status)
    await expect(probeModelList(provider, AbortSignal.timeout(5000))).rejects.toThrow(`status ${status}`)
    await close()
  })

  it('fails where nobody listens', async () => {
    const { provider, close } = await serve(200)
    await close()
    await expect(probeModelList(provider, AbortSignal.timeout(5000))).rejects.toMatchObject({
      code: 'upstream_error',
    })
  })

  it('is not for a simulator, which is us', async () => {
    const { provider, close } = await serve(200)
    expect(hasModelList(provider)).toBe(true)
    expect(hasModelList({ ...provider, kind: simulatorKind })).toBe(false)
    await close()
  })
})
