import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSimulator } from './server.ts'
import type { Stats } from './stats.ts'
import { countTokens } from './tokens.ts'

/** Time that passes only when the test says so. */
function createManualTimers() {
  const waiting = new Set<{ delayMs: number; run: () => void }>()
  return {
    waiting,
    schedule(delayMs: number, run: () => void) {
      const timer = { delayMs, run }
      waiting.add(timer)
      return () => {
        waiting.delete(timer)
      }
    },
    /** Ends the only wait there is, once it is there. */
    async pass(): Promise<number> {
      const [timer] = await vi.waitFor(() => {
        expect(waiting.size).toBe(1)
        return [...waiting]
      })
      if (timer === undefined) throw new Error('Nobody waits.')
      timer.run()
      return timer.delayMs
    },
  }
}

const timers = createManualTimers()
const simulator = createSimulator({ timers, seed: 7, bodyBytesMax: 1_000_000 })
let url: string

beforeAll(async () => {
  url = (await simulator.listen()).url
})
afterAll(() => simulator.close())
beforeEach(async () => {
  await fetch(`${url}/sim/control`, { method: 'DELETE' })
  await fetch(`${url}/sim/stats/reset`, { method: 'POST' })
})

const TEXT = 'one two three four five six'

function post(sim: string, body: object = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-sim': sim },
    body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: TEXT }], ...body }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** What the tests read of a reply. */
interface ReplyBody {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
  readonly type?: string
  readonly error?: object
}

async function json<Body = ReplyBody>(reply: Response | Promise<Response>): Promise<Body> {
  return (await (await reply).json()) as Body
}

/** @returns the events until the stream ended or broke */
async function read(reply: Response): Promise<{ text: string; isBroken: boolean }> {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of reply.body ?? []) text += decoder.decode(chunk, { stream: true })
    return { text, isBroken: false }
  } catch {
    return { text, isBroken: true }
  }
}

function events(text: string): number {
  return text.split('\n\n').filter(Boolean).length
}

async function statsWhen(check: (stats: Stats) => boolean): Promise<Stats> {
  return vi.waitFor(() => {
    const stats = simulator.stats()
    if (!check(stats)) throw new Error(JSON.stringify(stats))
    return stats
  })
}

describe('timing', () => {
  it('latency holds the headers, and the time is called off when the client leaves', async () => {
    const leave = new AbortController()
    const reply = post('latency=5000', {}, leave.signal)
    await vi.waitFor(() => expect([...timers.waiting].map((timer) => timer.delayMs)).toEqual([5000]))
    leave.abort()
    await expect(reply).rejects.toThrow()
    const stats = await statsWhen((now) => now.abortedCalls === 1)
    expect(timers.waiting.size).toBe(0)
    // The prompt was accepted and is charged; nothing was said.
    expect([stats.tokensInput, stats.tokensOutput, stats.inFlight]).toEqual([countTokens(TEXT), 0, 0])
  })

  it('jitter adds up to its value', async () => {
    const reply = post('latency=100,jitter=50')
    const delayMs = await timers.pass()
    expect(delayMs).toBeGreaterThanOrEqual(100)
    expect(delayMs).toBeLessThan(150)
    expect((await reply).status).toBe(200)
  })

  it('ttft lets the headers go and holds the first event', async () => {
    const reply = await post('ttft=300', { stream: true })
    expect(reply.headers.get('content-type')).toContain('text/event-stream')
    expect(await timers.pass()).toBe(300)
    expect((await read(reply)).text).toContain('[DONE]')
  })

  it('tps waits for every token, whole replies included', async () => {
    const reply = post('tps=100')
    expect(await timers.pass()).toBe((countTokens(TEXT) * 1000) / 100)
    await (await reply).json()
    const streamed = await post('tps=10', { stream: true, messages: [{ role: 'user', content: 'a b' }] })
    expect(await timers.pass()).toBe(100)
    expect(await timers.pass()).toBe(100)
    expect((await read(streamed)).isBroken).toBe(false)
  })

  it('the model slow trickles', async () => {
    const reply = await post('', {
      model: 'sim/slow',
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    })
    expect([await timers.pass(), await timers.pass()]).toEqual([200, 100])
    await read(reply)
  })
})

describe('a client that leaves', () => {
  it('pays for the tokens that were made until then', async () => {
    const leave = new AbortController()
    const reply = await post('tps=10', { stream: true }, leave.signal)
    await timers.pass()
    await timers.pass()
    await vi.waitFor(() => expect(simulator.stats().tokensOutput).toBe(2))
    leave.abort()
    await read(reply)
    const stats = await statsWhen((now) => now.abortedStreams === 1)
    expect([stats.tokensInput, stats.tokensOutput, stats.streams]).toEqual([countTokens(TEXT), 2, 1])
    expect(timers.waiting.size).toBe(0)
  })

  it('stops an endless stream it does not read, by back-pressure', async () => {
    const leave = new AbortController()
    await post('', { model: 'fixed-1-1000000', stream: true }, leave.signal)
    const stalled = await statsWhen((now) => now.tokensOutput > 0)
    leave.abort()
    const stats = await statsWhen((now) => now.abortedStreams === 1)
    expect(stalled.inFlight).toBe(1)
    expect(stats.tokensOutput).toBeLessThan(1_000_000)
  })
})

describe('broken streams', () => {
  it('cut closes after so many events, without an end', async () => {
    const { text, isBroken } = await read(await post('cut=3', { stream: true }))
    expect([events(text), isBroken]).toEqual([3, true])
    // The provider hung up, not the client.
    expect(await statsWhen((now) => now.inFlight === 0)).toMatchObject({ abortedStreams: 0, tokensOutput: 2 })
  })

  it('end stops cleanly after so many events, as if that were all', async () => {
    const { text, isBroken } = await read(await post('end=3', { stream: true }))
    expect([events(text), isBroken]).toEqual([3, false])
  })

  it('stall falls silent until the client leaves', async () => {
    const leave = new AbortController()
    const reply = await post('stall=2', { stream: true }, leave.signal)
    await vi.waitFor(() => expect(simulator.stats().tokensOutput).toBe(1))
    leave.abort()
    const { text } = await read(reply)
    expect(events(text)).toBeLessThanOrEqual(2)
    await statsWhen((now) => now.abortedStreams === 1)
  })

  it('error-event breaks with an error of the format', async () => {
    const { text, isBroken } = await read(await post('error-event=2', { stream: true }))
    expect(isBroken).toBe(false)
    expect(text).toMatch(/"error":\{"message":.*\n\n$/)
    expect(text).not.toContain('[DONE]')
  })

  it('malformed breaks the JSON of one event', async () => {
    const { text } = await read(await post('malformed=1', { stream: true }))
    const bad = text
      .split('\n\n')
      .filter((event) => event.startsWith('data: {'))
      .filter((event) => {
        try {
          JSON.parse(event.slice(6))
          return false
        } catch {
          return true
        }
      })
    expect(bad).toHaveLength(1)
  })

  it('drip sends single bytes and loses none', async () => {
    const plain = await json(post(''))
    expect(await json(post('drip=1'))).toMatchObject({ choices: plain.choices })
    expect((await read(await post('drip=1', { stream: true }))).text).toMatch(/\[DONE\]\n\n$/)
  })

  it('no-usage leaves usage out, in every format', async () => {
    const ask = async (path: string, body: object) =>
      (
        await fetch(url + path, {
          method: 'POST',
          headers: { 'x-sim': 'no-usage=1' },
          body: JSON.stringify({
            model: 'echo',
            max_tokens: 9,
            messages: [{ role: 'user', content: 'hi' }],
            ...body,
          }),
        })
      ).text()
    const replies = await Promise.all([
      ask('/v1/chat/completions', {}),
      ask('/v1/chat/completions', { stream: true, stream_options: { include_usage: true } }),
      ask('/v1/messages', {}),
      ask('/v1/messages', { stream: true }),
      ask('/v1beta/models/echo:generateContent', { contents: [{ parts: [{ text: 'hi' }] }] }),
      ask('/v1beta/models/echo:streamGenerateContent', { contents: [{ parts: [{ text: 'hi' }] }] }),
    ])
    for (const reply of replies) expect(reply).not.toMatch(/usage/i)
    const responses = JSON.parse(await ask('/v1/responses', { input: 'hi' }))
    expect(responses.usage).toBeNull()
    // The provider knows what it charges, even where it does not say.
    expect(simulator.stats().tokensInput).toBe(7)
  })
})

describe('broken replies', () => {
  it('cut closes in the middle of the body', async () => {
    const reply = await post('cut=0')
    await expect(reply.json()).rejects.toThrow()
  })

  it('malformed sends half of the JSON as if it were all', async () => {
    const text = await (await post('malformed=1')).text()
    expect(text).toMatch(/^\{/)
    expect(() => JSON.parse(text)).toThrow()
  })

  it('empty, error-body and content-type answer 200 with nothing useful', async () => {
    expect(await (await post('empty=1')).text()).toBe('')
    const error = await post('error-body=1')
    expect([error.status, Object.keys(await json(error))]).toEqual([200, ['error']])
    const page = await post('content-type=text/html', { stream: true })
    expect([page.headers.get('content-type'), (await page.text()).slice(0, 9)]).toEqual([
      'text/html',
      '<!doctype',
    ])
    expect(simulator.stats()).toMatchObject({ tokensInput: 0, tokensOutput: 0 })
  })

  it('big answers with so many bytes', async () => {
    const reply = await json(post('big=300000'))
    expect(reply.choices[0]?.message.content).toHaveLength(300_000)
    const { text, isBroken } = await read(await post('big=300000', { stream: true }))
    expect(isBroken).toBe(false)
    expect(text.length).toBeGreaterThan(300_000)
  })

  it('reset destroys the connection before the headers', async () => {
    await expect(post('reset=1')).rejects.toThrow()
    expect(simulator.stats()).toMatchObject({ calls: 1, errors: 1, tokensInput: 0, inFlight: 0 })
  })

  it('hang never answers', async () => {
    const leave = new AbortController()
    const reply = post('hang=1', {}, leave.signal)
    await statsWhen((now) => now.inFlight === 1)
    leave.abort()
    await expect(reply).rejects.toThrow()
    await statsWhen((now) => now.inFlight === 0 && now.abortedCalls === 1)
  })

  it('status answers that error, with retry-after', async () => {
    const reply = await post('status=503,retry-after=4', { stream: true })
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '4'])
    expect(await reply.json()).toMatchObject({ error: { type: 'server_error' } })
  })

  it('fail fails the same calls for the same seed', async () => {
    const run = async () => {
      const other = createSimulator({ seed: 42 })
      const { url: otherUrl } = await other.listen()
      const statuses: number[] = []
      for (let call = 0; call < 40; call++) {
        const reply = await fetch(`${otherUrl}/v1/embeddings`, {
          method: 'POST',
          headers: { 'x-sim': 'fail=0.3' },
          body: JSON.stringify({ model: 'echo', input: 'x' }),
        })
        await reply.arrayBuffer()
        statuses.push(reply.status)
      }
      await other.close()
      return statuses
    }
    const statuses = await run()
    expect(await run()).toEqual(statuses)
    const failures = statuses.filter((status) => status === 500).length
    expect(failures).toBeGreaterThan(4)
    expect(failures).toBeLessThan(20)
  })

  it('broken requests are refused', async () => {
    const broken = await fetch(`${url}/v1/messages`, { method: 'POST', body: '{"model":' })
    expect([broken.status, (await json(broken)).type]).toEqual([400, 'error'])
    const large = await fetch(`${url}/v1/messages`, { method: 'POST', body: 'x'.repeat(1_000_001) })
    expect(large.status).toBe(413)
  })
})

describe('/sim', () => {
  it('control applies to the calls that match, as often as it says', async () => {
    const set = await fetch(`${url}/sim/control`, {
      method: 'POST',
      body: JSON.stringify({ status: 429, times: 1, match: { model: 'echo', path: '/v1/chat' } }),
    })
    expect(await set.json()).toEqual([{ status: 429, times: 1, match: { model: 'echo', path: '/v1/chat' } }])
    const statuses = []
    for (const model of ['gpt-4o', 'echo', 'echo']) statuses.push((await post('', { model })).status)
    expect(statuses).toEqual([200, 429, 200])
  })

  it('control refuses what it does not know', async () => {
    for (const body of ['{"latncy":5}', 'latency=5', '{"latency":"soon"}']) {
      expect((await fetch(`${url}/sim/control`, { method: 'POST', body })).status).toBe(400)
    }
  })

  it('a header adds to the settings of all calls', async () => {
    await fetch(`${url}/sim/control`, { method: 'POST', body: '{"status":500,"retry-after":9}' })
    const reply = await post('status=429')
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '9'])
    await fetch(`${url}/sim/control`, { method: 'POST', body: '{}' })
    expect((await post('')).status).toBe(200)
  })

  it('stats count by model and path what was charged', async () => {
    await (await post('')).json()
    await (await post('', { model: 'fixed-200-50', stream: true })).text()
    await post('status=500')
    const stats = await (await fetch(`${url}/sim/stats`)).json()
    const own = countTokens(TEXT)
    expect(stats).toMatchObject({
      calls: 3,
      streams: 1,
      errors: 1,
      tokensInput: own + 200,
      tokensOutput: own + 50,
      byModel: {
        echo: { calls: 2, tokensInput: own, tokensOutput: own, errors: 1 },
        'fixed-200-50': { calls: 1, tokensInput: 200, tokensOutput: 50, errors: 0 },
      },
      byPath: { '/v1/chat/completions': 3 },
    })
  })

  it('last and requests show what was received, and remember fifty', async () => {
    for (let call = 0; call < 52; call++) await (await post('', { user: `u${call}` })).text()
    const last = await (await fetch(`${url}/sim/last`)).json()
    expect(last).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { 'content-type': 'application/json' },
      body: { model: 'echo', user: 'u51' },
      status: 200,
      tokensInput: countTokens(TEXT),
      aborted: false,
    })
    const all = await json<{ body: { user: string } }[]>(fetch(`${url}/sim/requests`))
    expect(all.map((request) => request.body.user)).toEqual(
      Array.from({ length: 50 }, (_, index) => `u${index + 2}`),
    )
  })
})

describe('close()', () => {
  it('ends hanging calls and open connections', async () => {
    const other = createSimulator({ timers })
    const { port, url: otherUrl } = await other.listen()
    const idle = connect(port, '127.0.0.1')
    const idleClosed = new Promise((resolve) => idle.once('close', resolve))
    await new Promise((resolve) => idle.once('connect', resolve))
    const hanging = fetch(`${otherUrl}/v1/embeddings`, {
      method: 'POST',
      headers: { 'x-sim': 'latency=60000' },
      body: '{"model":"echo","input":"x"}',
    })
    hanging.catch(() => {})
    await vi.waitFor(() => expect(timers.waiting.size).toBe(1))
    await other.close()
    await idleClosed
    await expect(hanging).rejects.toThrow()
    await vi.waitFor(() => expect(timers.waiting.size).toBe(0))
  })
})
