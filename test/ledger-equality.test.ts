import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { startGateway, type TestGateway } from './support/gateway.ts'

/**
 * The books of the gateway against the books of the provider. The texts are short common words, which the simulator
 * and every tokenizer count alike, so that even our own counts can be held against the provider's.
 */

interface Price {
  readonly inputPerMillionUsd: number
  readonly outputPerMillionUsd: number
  readonly cachedInputPerMillionUsd: number
}

const PRICES = {
  openai: { inputPerMillionUsd: 2.5, outputPerMillionUsd: 10, cachedInputPerMillionUsd: 1.25 },
  anthropic: { inputPerMillionUsd: 3, outputPerMillionUsd: 15, cachedInputPerMillionUsd: 0.3 },
  google: { inputPerMillionUsd: 0.0375, outputPerMillionUsd: 0.15, cachedInputPerMillionUsd: 0.01 },
  drained: { inputPerMillionUsd: 1, outputPerMillionUsd: 2, cachedInputPerMillionUsd: 0.5 },
} as const satisfies Record<string, Price>

type ProviderName = keyof typeof PRICES
/** Gemini says with every chunk what has been used so far, so nothing is left to be counted by us. */
const SAYS_USAGE_AS_IT_GOES: ReadonlySet<ProviderName> = new Set(['google'])
const PROVIDERS = ['openai', 'anthropic', 'google'] as const
const WORDS = 'the cat sat on the mat and the dog ran to the sun'

interface Format {
  readonly name: string
  path(model: string, stream: boolean): string
  body(model: string, stream: boolean, text: string): Record<string, unknown>
}

const FORMATS: readonly Format[] = [
  {
    name: 'chat',
    path: () => '/v1/chat/completions',
    body: (model, stream, text) => ({ model, stream, messages: [{ role: 'user', content: text }] }),
  },
  {
    name: 'responses',
    path: () => '/v1/responses',
    body: (model, stream, text) => ({ model, stream, input: text }),
  },
  {
    name: 'messages',
    path: () => '/v1/messages',
    body: (model, stream, text) => ({
      model,
      stream,
      max_tokens: 4000,
      messages: [{ role: 'user', content: text }],
    }),
  },
  {
    name: 'gemini',
    path: (model, stream) =>
      `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: (_model, _stream, text) => ({ contents: [{ role: 'user', parts: [{ text }] }] }),
  },
  {
    name: 'completions',
    path: () => '/v1/completions',
    // The API stops after 16 tokens unless told otherwise.
    body: (model, stream, text) => ({ model, stream, prompt: text, max_tokens: 4000 }),
  },
]

const PAIRS = FORMATS.flatMap((format) => PROVIDERS.map((provider) => ({ format, provider })))

let house: TestGateway
/** Ids of all calls that this file has made, so that at the end each can be found once. */
const callIds: string[] = []

beforeAll(async () => {
  const models = ['words', 'reasoner', 'text-embedding-3-small', 'gemini-embedding-001', 'fixed-200-50-120']
  house = await startGateway({
    providers: (url) => ({
      openai: { kind: 'openai', baseUrl: `${url}/v1` },
      anthropic: { kind: 'anthropic', baseUrl: `${url}/v1` },
      google: { kind: 'google', baseUrl: `${url}/v1beta` },
      drained: { kind: 'anthropic', baseUrl: `${url}/v1`, onCancel: 'drain' },
    }),
    config: {
      prices: {
        overrides: Object.fromEntries(
          Object.entries(PRICES).flatMap(([provider, price]) =>
            models.map((model) => [`${provider}/${model}`, price]),
          ),
        ),
      },
    },
  })
})

afterAll(() => house?.close())

interface CallOptions {
  readonly stream?: boolean
  readonly text?: string
  readonly model?: string
  /** `x-sim`. */
  readonly sim?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly fields?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

async function call(format: Format, provider: ProviderName, options: CallOptions = {}): Promise<Response> {
  const { stream = false, text = WORDS, sim, headers, fields, signal } = options
  const model = `${provider}/${options.model ?? 'words'}`
  const response = await fetch(house.url + format.path(model, stream), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${house.key}`,
      ...(sim === undefined ? {} : { 'x-sim': sim }),
      ...headers,
    },
    body: JSON.stringify({ ...format.body(model, stream, text), ...fields }),
    ...(signal === undefined ? {} : { signal }),
  })
  callIds.push(idOf(response))
  return response
}

function idOf(response: Response): string {
  const id = response.headers.get('x-request-id')
  if (id === null) throw new Error(`A reply without an id: ${response.status} ${response.url}`)
  return id
}

const tokenCount = z.number().nullable()
const rowShape = z.object({
  id: z.string(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  status: z.number(),
  errorCode: z.string().nullable(),
  attemptCount: z.number(),
  tokensInput: tokenCount,
  tokensOutput: tokenCount,
  costNanoUsd: z.number(),
  costUsd: z.string(),
  estimated: z.boolean(),
})
type Row = z.infer<typeof rowShape>
const usageShape = z.object({
  requests: z.number(),
  errors: z.number(),
  tokensInput: z.number(),
  tokensOutput: z.number(),
  tokensTotal: z.number(),
  tokensCached: z.number(),
  costNanoUsd: z.number(),
  estimated: z.number(),
})

async function admin(path: string): Promise<unknown> {
  const response = await fetch(`${house.url}/api/v1${path}`, {
    headers: { authorization: `Bearer ${house.adminKey}` },
  })
  expect(response.status, path).toBe(200)
  return response.json()
}

async function rows(): Promise<Row[]> {
  return z.object({ data: z.array(rowShape) }).parse(await admin('/requests?limit=1000')).data
}

/** @returns the one final row of each call; waits for them, since a row is written after the last byte is out */
async function rowsOf(ids: readonly string[]): Promise<Row[]> {
  const wanted = new Set(ids)
  const found = await vi.waitFor(
    async () => {
      const mine = (await rows()).filter(({ id }) => wanted.has(id))
      expect(new Set(mine.map(({ id }) => id))).toEqual(wanted)
      return mine
    },
    { timeout: 5000, interval: 20 },
  )
  expect(found).toHaveLength(ids.length)
  return found
}

async function rowOf(id: string): Promise<Row> {
  const [row] = await rowsOf([id])
  if (row === undefined) throw new Error('Unreachable: there is one row for each id.')
  return row
}

async function attemptsOf(id: string) {
  const shape = z.object({
    attempts: z.array(z.object({ tokensInput: z.number().nullable(), costNanoUsd: z.number() })),
  })
  return shape.parse(await admin(`/requests/${id}`)).attempts
}

async function usage() {
  const { data } = z.object({ data: z.array(usageShape) }).parse(await admin('/usage'))
  return (
    data[0] ?? {
      requests: 0,
      errors: 0,
      tokensInput: 0,
      tokensOutput: 0,
      tokensTotal: 0,
      tokensCached: 0,
      costNanoUsd: 0,
      estimated: 0,
    }
  )
}

interface Bill {
  readonly tokensInput: number
  readonly tokensOutput: number
}

/** @returns what the provider charged for the work, once it has nothing left to do */
async function billed<Result>(work: () => Promise<Result>): Promise<{ result: Result; bill: Bill }> {
  const before = house.simulator.stats()
  const result = await work()
  await vi.waitFor(() => expect(house.simulator.stats().inFlight).toBe(0), { timeout: 5000, interval: 5 })
  const after = house.simulator.stats()
  const bill = {
    tokensInput: after.tokensInput - before.tokensInput,
    tokensOutput: after.tokensOutput - before.tokensOutput,
  }
  return { result, bill }
}

/** Whole pico-dollars a token, rounded to nano-dollars once. */
function costNanoUsd({ tokensInput, tokensOutput }: Bill, provider: ProviderName, cached = 0): number {
  const { inputPerMillionUsd, cachedInputPerMillionUsd, outputPerMillionUsd } = PRICES[provider]
  const pico = (perMillionUsd: number) => Math.round(perMillionUsd * 1_000_000)
  return Math.round(
    ((tokensInput - cached) * pico(inputPerMillionUsd) +
      cached * pico(cachedInputPerMillionUsd) +
      tokensOutput * pico(outputPerMillionUsd)) /
      1000,
  )
}

/** The row says what the provider's bill says, to the token, and costs what that costs, to the nano-dollar. */
function expectExact(row: Row, provider: ProviderName, bill: Bill): void {
  expect(row).toMatchObject({ ...bill, provider, status: 200, errorCode: null, estimated: false })
  expect(row.costNanoUsd).toBe(costNanoUsd(bill, provider))
}

/**
 * Counted by us: the input with what surrounds a message, at most a dozen tokens; the output as it was said, up to
 * what was on its way when the call ended.
 */
function expectEstimate(row: Row, provider: ProviderName, bill: Bill, onTheWay = 2): void {
  expect(row).toMatchObject({ provider, estimated: true })
  const found = { tokensInput: row.tokensInput ?? -1, tokensOutput: row.tokensOutput ?? -1 }
  expect(found.tokensInput).toBeGreaterThanOrEqual(bill.tokensInput)
  expect(found.tokensInput).toBeLessThanOrEqual(bill.tokensInput + 12)
  expect(Math.abs(found.tokensOutput - bill.tokensOutput)).toBeLessThanOrEqual(onTheWay)
  expect(row.costNanoUsd).toBe(costNanoUsd(found, provider))
  expect(row.costNanoUsd).toBeGreaterThan(0)
}

/** A call that ended early is charged for what came: by the provider's count where it has one, else by ours. */
function expectPartial(row: Row, provider: ProviderName, bill: Bill, onTheWay = 2): void {
  if (!SAYS_USAGE_AS_IT_GOES.has(provider)) {
    expectEstimate(row, provider, bill, onTheWay)
    return
  }
  const { tokensInput } = bill
  const tokensOutput = row.tokensOutput ?? -1
  expect(row).toMatchObject({ provider, estimated: false, tokensInput })
  expect(Math.abs(tokensOutput - bill.tokensOutput)).toBeLessThanOrEqual(onTheWay)
  expect(row.costNanoUsd).toBe(costNanoUsd({ tokensInput, tokensOutput }, provider))
}

/** Chunks that carry usage, in a stream of Chat Completions. */
function usageChunks(stream: string): unknown[] {
  return stream
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame): { usage?: unknown } => JSON.parse(frame.slice('data: '.length)))
    .flatMap(({ usage: found }) => (found === undefined || found === null ? [] : [found]))
}

describe.each(PAIRS)('$format.name at $provider', ({ format, provider }) => {
  it('JSON is booked to the token', async () => {
    const { result, bill } = await billed(async () => {
      const response = await call(format, provider)
      await response.arrayBuffer()
      return response
    })
    expect(bill.tokensInput).toBe(13)
    expect(bill.tokensOutput).toBe(13)
    const row = await rowOf(idOf(result))
    expectExact(row, provider, bill)
    // The header says the same as the books.
    expect(result.headers.get('x-gatehouse-cost-usd')).toBe(row.costUsd)
  })

  it('a stream is booked to the token', async () => {
    const { result, bill } = await billed(async () => {
      const response = await call(format, provider, { stream: true })
      await response.arrayBuffer()
      return response
    })
    expect(bill.tokensOutput).toBe(13)
    expectExact(await rowOf(idOf(result)), provider, bill)
  })

  it.each([false, true])('a reply without usage is counted by us and marked, stream=%s', async (stream) => {
    const { result, bill } = await billed(async () => {
      const response = await call(format, provider, { stream, sim: 'no-usage=1' })
      expect(response.status).toBe(200)
      await response.arrayBuffer()
      return response
    })
    const row = await rowOf(idOf(result))
    expect(row).toMatchObject({ status: 200, errorCode: null })
    expectEstimate(row, provider, bill)
  })

  it('a client that leaves pays for what was said until then', async () => {
    const leaving = new AbortController()
    const text = Array.from({ length: 40 }, () => WORDS).join(' ')
    const { result, bill } = await billed(async () => {
      const response = await call(format, provider, {
        stream: true,
        text,
        sim: 'tps=200',
        signal: leaving.signal,
      })
      const reader = response.body?.getReader()
      let heard = ''
      // Far enough that words have been said, whatever the format begins with.
      while ((heard.match(/\bcat\b/g)?.length ?? 0) < 2) {
        const { value, done } = (await reader?.read()) ?? { done: true, value: undefined }
        if (done) throw new Error(`The stream ended early: ${heard}`)
        heard += Buffer.from(value).toString()
      }
      leaving.abort()
      return response
    })
    expect(bill.tokensOutput).toBeGreaterThan(10)
    expect(bill.tokensOutput).toBeLessThan(13 * 40)
    const row = await rowOf(idOf(result))
    expect(row).toMatchObject({ status: 499, errorCode: 'client_closed' })
    // Of some 200 words a second, a few are under way when the news of the leaving arrives.
    expectPartial(row, provider, bill, 6)
  })

  it.each(['cut', 'end', 'error-event'])(
    'a stream that breaks (%s) is charged for what came',
    async (fault) => {
      const { result, bill } = await billed(async () => {
        const response = await call(format, provider, { stream: true, sim: `${fault}=9` })
        await response.text()
        return response
      })
      const row = await rowOf(idOf(result))
      expect(row).toMatchObject({ errorCode: 'upstream_error', status: 502 })
      expectPartial(row, provider, bill)
    },
  )

  it('a stream that stalls is ended by x-gatehouse-timeout-ms and charged for what came', async () => {
    const { result, bill } = await billed(async () => {
      const response = await call(format, provider, {
        stream: true,
        sim: 'stall=9',
        headers: { 'x-gatehouse-timeout-ms': '200' },
      })
      await response.text()
      return response
    })
    const row = await rowOf(idOf(result))
    expect(row).toMatchObject({ errorCode: 'upstream_timeout', status: 504 })
    expectPartial(row, provider, bill)
  })
})

describe('chat streams', () => {
  const [chat] = FORMATS
  if (chat === undefined) throw new Error('There are no formats.')

  it.each(PROVIDERS)(
    'show usage only to whom asked for it, and are booked alike, at %s',
    async (provider) => {
      const cases = [
        [undefined, 0],
        [{}, 0],
        [{ include_usage: false }, 0],
        [{ include_usage: true }, 1],
      ] as const
      for (const [stream_options, chunks] of cases) {
        const { result, bill } = await billed(async () => {
          const response = await call(chat, provider, {
            stream: true,
            ...(stream_options === undefined ? {} : { fields: { stream_options } }),
          })
          return { id: idOf(response), text: await response.text() }
        })
        const seen = usageChunks(result.text)
        expect(seen).toHaveLength(chunks)
        if (chunks === 1) {
          expect(seen[0]).toMatchObject({
            prompt_tokens: bill.tokensInput,
            completion_tokens: bill.tokensOutput,
          })
        }
        expectExact(await rowOf(result.id), provider, bill)
      }
    },
  )

  it('are refused and booked as free where the provider refuses', async () => {
    for (const [sim, status] of [
      ['status=400', 400],
      ['status=429', 429],
      ['status=500', 502],
    ] as const) {
      const { result, bill } = await billed(() => call(chat, 'openai', { stream: true, sim }))
      expect(result.status).toBe(status)
      await result.arrayBuffer()
      expect(bill).toEqual({ tokensInput: 0, tokensOutput: 0 })
      expect(await rowOf(idOf(result))).toMatchObject({ status, costNanoUsd: 0, estimated: false })
    }
  })
})

describe('what clients and providers do besides', () => {
  const [chat, , messages] = FORMATS
  if (chat === undefined || messages === undefined) throw new Error('There are no formats.')

  it.each([
    [500, 'openai'],
    [429, 'openai'],
    [500, 'anthropic'],
    [429, 'google'],
  ] as const)('calls that a client repeats after %i at %s are booked once each', async (status, provider) => {
    const before = new Set((await rows()).map(({ id }) => id))
    await fetch(`${house.simulatorUrl}/sim/control`, {
      method: 'POST',
      body: JSON.stringify({ status, 'retry-after': 0, times: 1 }),
    })
    const sent: string[] = []
    const client = new OpenAI({
      apiKey: house.key,
      baseURL: `${house.url}/v1`,
      maxRetries: 3,
      fetch: async (url, init) => {
        // Its own pause between two tries, half a second or more, is not what is tested here.
        const response = await fetch(url, init)
        const headers = new Headers(response.headers)
        headers.set('retry-after-ms', '1')
        sent.push(idOf(response))
        return new Response(response.body, { status: response.status, headers })
      },
    })
    const { result, bill } = await billed(() =>
      client.chat.completions.create({
        model: `${provider}/words`,
        messages: [{ role: 'user', content: WORDS }],
      }),
    )
    callIds.push(...sent)
    expect(result.choices[0]?.message.content).toBe(WORDS)
    const mine = (await rows()).filter(({ id }) => !before.has(id))
    expect(mine.map(({ id }) => id).sort()).toEqual([...sent].sort())
    const sum = (field: 'tokensInput' | 'tokensOutput') =>
      mine.reduce((total, row) => total + (row[field] ?? 0), 0)
    expect({ tokensInput: sum('tokensInput'), tokensOutput: sum('tokensOutput') }).toEqual(bill)
    expect(mine.reduce((total, row) => total + row.costNanoUsd, 0)).toBe(costNanoUsd(bill, provider))
  })

  it.each(PROVIDERS)('cached tokens are charged as cached, at %s', async (provider) => {
    for (const stream of [false, true]) {
      const { result, bill } = await billed(async () => {
        const response = await call(chat, provider, { stream, model: 'fixed-200-50-120' })
        await response.arrayBuffer()
        return response
      })
      expect(bill).toEqual({ tokensInput: 200, tokensOutput: 50 })
      const row = await rowOf(idOf(result))
      expect(row).toMatchObject({ ...bill, estimated: false })
      expect(row.costNanoUsd).toBe(costNanoUsd(bill, provider, 120))
    }
  })

  it.each(PROVIDERS)('thoughts are charged, at %s', async (provider) => {
    for (const stream of [false, true]) {
      const { result, bill } = await billed(async () => {
        const response = await call(chat, provider, { stream, model: 'reasoner' })
        await response.arrayBuffer()
        return response
      })
      // More than the echo alone.
      expect(bill.tokensOutput).toBeGreaterThan(20)
      expectExact(await rowOf(idOf(result)), provider, bill)
    }
  })

  it.each(['cut=0', 'malformed=1', 'end=0'])('a whole reply that is broken (%s) is not free', async (sim) => {
    for (const provider of PROVIDERS) {
      const { result, bill } = await billed(async () => {
        const response = await call(chat, provider, { sim })
        await response.arrayBuffer()
        return response
      })
      expect(result.status).toBe(502)
      const row = await rowOf(idOf(result))
      expect(row).toMatchObject({ status: 502, errorCode: 'upstream_error', estimated: true })
      // Each try counts. What was said cannot be read; what was asked is known.
      const attempts = await attemptsOf(idOf(result))
      expect(attempts.length).toBeGreaterThanOrEqual(1)
      expect(attempts.reduce((sum, { tokensInput }) => sum + (tokensInput ?? 0), 0)).toBeGreaterThanOrEqual(
        bill.tokensInput,
      )
      for (const { costNanoUsd } of attempts) expect(costNanoUsd).toBeGreaterThan(0)
    }
  })

  it('a client that leaves before a whole reply pays for its prompt', async () => {
    const before = new Set((await rows()).map(({ id }) => id))
    const leaving = new AbortController()
    const { bill } = await billed(async () => {
      const response = call(chat, 'openai', { sim: 'latency=60000', signal: leaving.signal })
      await vi.waitFor(() => expect(house.simulator.stats().inFlight).toBe(1))
      leaving.abort()
      await expect(response).rejects.toThrow()
    })
    expect(bill).toEqual({ tokensInput: 13, tokensOutput: 0 })
    const mine = await vi.waitFor(async () => {
      const found = (await rows()).filter(({ id }) => !before.has(id))
      expect(found.length).toBeGreaterThan(0)
      return found
    })
    expect(mine).toHaveLength(1)
    const [row] = mine
    if (row === undefined) throw new Error('Unreachable: the length is 1.')
    callIds.push(row.id)
    expect(row).toMatchObject({ status: 499, errorCode: 'client_closed' })
    expectEstimate(row, 'openai', bill)
  })

  it('a stream that is drained after its client left is booked to the token', async () => {
    const leaving = new AbortController()
    const { result, bill } = await billed(async () => {
      const response = await call(messages, 'drained', {
        stream: true,
        text: `${WORDS} ${WORDS}`,
        sim: 'tps=200',
        signal: leaving.signal,
      })
      await response.body?.getReader().read()
      leaving.abort()
      return response
    })
    expect(bill).toEqual({ tokensInput: 26, tokensOutput: 26 })
    const row = await rowOf(idOf(result))
    expect(row).toMatchObject({ ...bill, estimated: false, status: 499, errorCode: 'client_closed' })
    expect(row.costNanoUsd).toBe(costNanoUsd(bill, 'drained'))
  })

  it('a provider that never answers is charged for the prompt it may have read', async () => {
    const { result, bill } = await billed(async () => {
      const response = await call(chat, 'openai', {
        sim: 'latency=60000',
        headers: { 'x-gatehouse-timeout-ms': '100' },
      })
      await response.arrayBuffer()
      return response
    })
    expect(result.status).toBe(504)
    const row = await rowOf(idOf(result))
    expect(row).toMatchObject({ status: 504, errorCode: 'upstream_timeout' })
    expectEstimate(row, 'openai', bill)
  })

  it('embeddings are booked to the token, in both formats', async () => {
    const input = [WORDS, 'the sun']
    const asked = [
      ['/v1/embeddings', { model: 'openai/text-embedding-3-small', input }],
      ['/v1/embeddings', { model: 'google/gemini-embedding-001', input }],
      [
        '/v1beta/models/openai/text-embedding-3-small:batchEmbedContents',
        {
          requests: input.map((text) => ({
            model: 'models/openai/text-embedding-3-small',
            content: { parts: [{ text }] },
          })),
        },
      ],
      [
        '/v1beta/models/google/gemini-embedding-001:embedContent',
        { content: { parts: [{ text: input.join(' ') }] } },
      ],
    ] as const
    for (const [path, body] of asked) {
      const { result, bill } = await billed(async () => {
        const response = await fetch(house.url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${house.key}` },
          body: JSON.stringify(body),
        })
        callIds.push(idOf(response))
        expect(response.status, path).toBe(200)
        await response.arrayBuffer()
        return response
      })
      expect(bill).toEqual({ tokensInput: 15, tokensOutput: 0 })
      const row = await rowOf(idOf(result))
      expectExact(
        row,
        path.includes('google') || JSON.stringify(body).includes('google') ? 'google' : 'openai',
        bill,
      )
    }
  })

  it('counting tokens costs nothing', async () => {
    for (const provider of PROVIDERS) {
      const response = await fetch(`${house.url}/v1/messages/count_tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${house.key}` },
        body: JSON.stringify({ model: `${provider}/words`, messages: [{ role: 'user', content: WORDS }] }),
      })
      await response.arrayBuffer()
      callIds.push(idOf(response))
      expect(await rowOf(idOf(response))).toMatchObject({ status: 200, costNanoUsd: 0, estimated: false })
    }
  })

  it('calls that never left are booked as free', async () => {
    for (const body of ['{', '{"model":"no-such-model","messages":[]}']) {
      const response = await fetch(`${house.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${house.key}` },
        body,
      })
      await response.arrayBuffer()
      callIds.push(idOf(response))
      expect(await rowOf(idOf(response))).toMatchObject({
        status: response.status,
        provider: null,
        costNanoUsd: 0,
        tokensInput: null,
        tokensOutput: null,
      })
    }
  })
})

describe('all together', () => {
  it('a crowd of calls of every sort is booked to the token', async () => {
    const before = await usage()
    const { result: ids, bill } = await billed(() =>
      Promise.all(
        PAIRS.flatMap(({ format, provider }) =>
          [false, true].flatMap((stream) =>
            [1, 2, 3].map(async (times) => {
              const text = Array.from({ length: times }, () => WORDS).join(' ')
              const response = await call(format, provider, { stream, text })
              expect(response.status).toBe(200)
              await response.arrayBuffer()
              return idOf(response)
            }),
          ),
        ),
      ),
    )
    expect(bill.tokensInput).toBe(13 * (1 + 2 + 3) * PAIRS.length * 2)
    const booked = await rowsOf(ids)
    for (const row of booked) {
      const provider = PROVIDERS.find((name) => name === row.provider)
      if (provider === undefined) throw new Error(`Booked to ${row.provider}.`)
      const { tokensInput, tokensOutput } = row
      expect([13, 26, 39]).toContain(tokensInput)
      expect(tokensOutput).toBe(tokensInput)
      expect(row.costNanoUsd).toBe(
        costNanoUsd({ tokensInput: tokensInput ?? 0, tokensOutput: tokensOutput ?? 0 }, provider),
      )
    }
    const after = await usage()
    expect({
      requests: after.requests - before.requests,
      errors: after.errors - before.errors,
      tokensInput: after.tokensInput - before.tokensInput,
      tokensOutput: after.tokensOutput - before.tokensOutput,
      costNanoUsd: after.costNanoUsd - before.costNanoUsd,
      estimated: after.estimated - before.estimated,
    }).toEqual({
      requests: ids.length,
      errors: 0,
      ...bill,
      costNanoUsd: booked.reduce((sum, row) => sum + row.costNanoUsd, 0),
      estimated: 0,
    })
  })

  it('every call of this file has one final row, and usage is their sum', async () => {
    const all = await rows()
    expect(all.map(({ id }) => id).sort()).toEqual([...callIds].sort())
    const { rows: sums } = await house.database.query(
      `SELECT sum(tokens_input)::float8 AS "tokensInput", sum(tokens_output)::float8 AS "tokensOutput",
         sum(cost_nano_usd)::float8 AS "costNanoUsd", count(*) FILTER (WHERE estimated)::float8 AS estimated
       FROM ledger`,
    )
    expect(await usage()).toMatchObject({
      requests: all.length,
      errors: all.filter(({ status }) => status >= 400).length,
      ...sums[0],
    })
  })
})
