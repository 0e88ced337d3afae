import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../src/core/clock.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

type Family = 'openai' | 'anthropic' | 'gemini'

let house: TestGateway
/** How far the gateway's clock is ahead. */
let aheadMs = 0

beforeAll(async () => {
  house = await startGateway({ clock: { ...systemClock, now: () => Date.now() + aheadMs } })
})

afterAll(() => house?.close())

// Whatever was sent, the next caller is served. (Rejections that nobody handles fail the run by themselves.)
afterEach(async () => {
  const response = await post('/v1/chat/completions', CHAT)
  expect(response.status).toBe(200)
  expect(await response.text()).toContain('"content":"Hello"')
})

const CHAT = { model: 'openai/gpt-4o', messages: [{ role: 'user', content: 'Hello' }] }
const MESSAGES = { ...CHAT, model: 'anthropic/claude-sonnet-4-5', max_tokens: 10 }
const CONTENTS = { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }

/** Every way in, each with a provider of its own format and one of another. */
const ROUTES: readonly { readonly path: string; readonly family: Family; readonly body: object }[] = [
  { path: '/v1/chat/completions', family: 'openai', body: CHAT },
  { path: '/v1/responses', family: 'openai', body: { model: 'openai/gpt-4o', input: 'Hello' } },
  { path: '/v1/completions', family: 'openai', body: { model: 'openai/gpt-4o', prompt: 'Hello' } },
  { path: '/v1/embeddings', family: 'openai', body: { model: 'openai/embed', input: 'Hello' } },
  { path: '/v1/messages', family: 'anthropic', body: MESSAGES },
  { path: '/v1/messages/count_tokens', family: 'anthropic', body: MESSAGES },
  { path: '/v1beta/models/google/gemini-2.5-pro:generateContent', family: 'gemini', body: CONTENTS },
  {
    path: '/v1beta/models/google/gemini-2.5-pro:streamGenerateContent?alt=sse',
    family: 'gemini',
    body: CONTENTS,
  },
]

type Body = object | string | Uint8Array<ArrayBuffer>

function post(path: string, body: Body, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(house.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  })
}

const SHAPES = {
  openai: z.strictObject({
    error: z.strictObject({
      message: z.string().min(1),
      type: z.string().min(1),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  }),
  anthropic: z.strictObject({
    type: z.literal('error'),
    error: z.strictObject({ type: z.string().min(1), message: z.string().min(1) }),
    request_id: z.string(),
  }),
  gemini: z.strictObject({
    error: z.strictObject({
      code: z.number(),
      message: z.string().min(1),
      status: z.string().regex(/^[A-Z_]+$/),
      details: z.array(z.object({ reason: z.string() })).optional(),
    }),
  }),
}

interface Refusal {
  readonly status: number
  readonly message: string
  /** Ours; Anthropic's shape has no place for it. */
  readonly code: string | undefined
  readonly param: string | undefined
}

/** Reads an error in the shape that the caller's client reads, and no other. */
async function refusalOf(response: Response, family: Family): Promise<Refusal> {
  const { status } = response
  expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  expect(response.headers.get('x-request-id')).toMatch(/^req_/)
  const json: unknown = await response.json()
  if (family === 'anthropic') {
    const { message } = SHAPES.anthropic.parse(json).error
    return { status, message, code: undefined, param: undefined }
  }
  if (family === 'gemini') {
    const { code, message, details } = SHAPES.gemini.parse(json).error
    expect(code).toBe(status)
    return { status, message, code: details?.[0]?.reason, param: undefined }
  }
  const { code, message, param } = SHAPES.openai.parse(json).error
  return { status, message, code: code ?? undefined, param: param ?? undefined }
}

/** Sends bytes as they are and reads what comes until the connection is closed or `until` is seen. */
async function talk(bytes: string | Uint8Array, until?: RegExp): Promise<string> {
  const socket = open()
  let heard = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    heard += text
    if (until?.test(heard)) socket.destroy()
  })
  socket.write(bytes)
  await closed(socket)
  return heard
}

function open(): Socket {
  const { hostname, port } = new URL(house.url)
  const socket = connect(Number(port), hostname)
  // Being hung up on is an answer too.
  socket.on('error', () => undefined)
  return socket
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close')
}

/** @param lines headers beside the usual ones */
function rawPost(
  body: string | Buffer,
  lines: readonly string[] = [],
  path = '/v1/chat/completions',
): Buffer {
  const bytes = Buffer.from(body)
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: gatehouse',
    `authorization: Bearer ${house.key}`,
    `content-length: ${bytes.length}`,
    ...lines,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])
}

async function simulated(path: string): Promise<unknown> {
  return (await fetch(`${house.simulatorUrl}/sim/${path}`)).json()
}

const receivedShape = z.object({
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.unknown(),
})

describe.each(ROUTES)('POST $path', ({ path, family, body }) => {
  it.each([
    ['nothing', ''],
    ['half an object', '{"model": "openai/gpt-4o", "messages": ['],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '42'],
    ['a text', '"hello"'],
    ['no JSON at all', 'model=openai/gpt-4o'],
    ['NaN', '{"model": NaN}'],
    ['brackets', '['.repeat(100_000)],
    ['braces', '{"a":'.repeat(100_000)],
    ['a null byte', '\u0000'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    [
      'an overlong slash',
      new Uint8Array(Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc0, 0xaf, 0x22, 0x7d])),
    ],
    ['gzip', new Uint8Array(gzipSync(JSON.stringify(CHAT)))],
  ])('refuses %s', async (_name, bad) => {
    const refusal = await refusalOf(await post(path, bad), family)
    expect(refusal.status).toBe(400)
    if (family !== 'anthropic') expect(refusal.code).toBe('invalid_request')
  })

  it('refuses a body that is too large, so that fetch can read why', async () => {
    const large = JSON.stringify({ ...body, padding: 'x'.repeat(25 * 1024 * 1024) })
    const refusal = await refusalOf(await post(path, large), family)
    expect(refusal.status).toBe(413)
    expect(refusal.message).toContain('20971520')
  })

  it('refuses strangers, and tells them nothing about their mistakes', async () => {
    const wrong = await post(path, '{', { authorization: 'Bearer gh-wrong' })
    const missing = await post(path, body, { authorization: '' })
    const [first, second] = [await refusalOf(wrong, family), await refusalOf(missing, family)]
    expect(first.status).toBe(401)
    expect(second).toEqual(first)
  })

  it('refuses other methods and names the right one', async () => {
    const response = await fetch(house.url + path, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${house.key}` },
    })
    expect(response.headers.get('allow')).toContain('POST')
    expect((await refusalOf(response, family)).status).toBe(405)
  })

  it('refuses headers that make no sense', async () => {
    for (const [name, value] of [
      ['x-gatehouse-timeout-ms', 'soon'],
      ['x-gatehouse-timeout-ms', '-1'],
      ['x-gatehouse-timeout-ms', '1e99'],
      ['x-gatehouse-tags', 'no pair'],
    ] as const) {
      const refusal = await refusalOf(await post(path, body, { [name]: value }), family)
      expect(refusal.status).toBe(400)
      expect(refusal.message).toContain(name)
    }
  })

  it('says that a compressed body is not read', async () => {
    const zipped = new Uint8Array(gzipSync(JSON.stringify(body)))
    const refusal = await refusalOf(await post(path, zipped, { 'content-encoding': 'gzip' }), family)
    expect(refusal.status).toBe(400)
    expect(refusal.message).toContain('content-encoding')
  })

  it('is not hurt by names of the prototype', async () => {
    const text = JSON.stringify({ ...body, metadata: { constructor: 'c', tag: 't' } })
    const poisoned = text.replace(
      /}$/,
      ',"__proto__":{"polluted":true,"model":"x"},"constructor":{"prototype":{"polluted":true}}}',
    )
    const response = await post(
      path,
      poisoned.replace('"tag":"t"', '"__proto__":{"polluted":true},"tag":"t"'),
    )
    expect([200, 400]).toContain(response.status)
    await response.arrayBuffer()
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('fields of the wrong sort', () => {
  const tool = { type: 'function', function: { name: 'f', parameters: {} } }

  // A provider of another format, so that it is we who read the body; its own format's provider reads it itself.
  it.each([
    ['messages', { messages: undefined }],
    ['messages', { messages: 'Hello' }],
    ['messages', { messages: {} }],
    ['messages', { messages: [] }],
    ['messages[0]', { messages: ['Hello'] }],
    ['messages[0]', { messages: [null] }],
    ['messages[0].role', { messages: [{ role: 'wizard', content: 'Hello' }] }],
    ['messages[0].role', { messages: [{ role: 5, content: 'Hello' }] }],
    ['messages[0].content', { messages: [{ role: 'user', content: 5 }] }],
    ['messages[0].content', { messages: [{ role: 'user', content: [{ type: 'text', text: 5 }] }] }],
    ['messages[0].content', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }],
    ['temperature', { temperature: 'hot' }],
    ['max_tokens', { max_tokens: 'many' }],
    ['max_tokens', { max_tokens: -2 }],
    ['max_tokens', { max_tokens: 1.5 }],
    ['tools', { tools: {} }],
    ['tools[0]', { tools: ['f'] }],
    ['tools[0]', { tools: [{ type: 'function' }] }],
    ['tools[0]', { tools: [{ type: 'function', function: { name: 5 } }] }],
    ['tool_choice', { tools: [tool], tool_choice: 5 }],
    ['stop', { stop: 5 }],
    ['n', { n: 'two' }],
    ['response_format', { response_format: 'json' }],
  ])('%s is named in an error of OpenAI: %j', async (param, fields) => {
    const response = await post('/v1/chat/completions', { ...CHAT, model: 'anthropic/claude', ...fields })
    const refusal = await refusalOf(response, 'openai')
    expect(refusal).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(refusal.param?.startsWith(param)).toBe(true)
  })

  it.each([
    ['messages', { messages: 'Hello' }],
    ['messages[0].role', { messages: [{ role: 'system!', content: 'Hello' }] }],
    ['messages[0].content', { messages: [{ role: 'user', content: 5 }] }],
    ['max_tokens', { max_tokens: 'many' }],
    ['max_tokens', { max_tokens: -5 }],
    ['system', { system: 5 }],
    ['tools', { tools: 'f' }],
    ['tools[0].name', { tools: [{ input_schema: {} }] }],
    ['temperature', { temperature: [] }],
  ])('%s is named in an error of Anthropic: %j', async (param, fields) => {
    const response = await post('/v1/messages', { ...MESSAGES, model: 'openai/gpt-4o', ...fields })
    const refusal = await refusalOf(response, 'anthropic')
    expect(refusal.status).toBe(400)
    expect(refusal.message).toContain(param)
  })

  it.each([
    ['contents', { contents: 5 }],
    ['contents[0]', { contents: ['Hello'] }],
    ['contents[0].role', { contents: [{ role: 'wizard', parts: [{ text: 'Hello' }] }] }],
    ['contents[0].parts', { contents: [{ role: 'user', parts: 'Hello' }] }],
    ['contents[0].parts[0]', { contents: [{ role: 'user', parts: [5] }] }],
    ['generationConfig', { generationConfig: 5 }],
    ['maxOutputTokens', { generationConfig: { maxOutputTokens: 'many' } }],
    ['tools', { tools: 'f' }],
  ])('%s is named in an error of Gemini: %j', async (param, fields) => {
    const path = '/v1beta/models/openai/gpt-4o:generateContent'
    const refusal = await refusalOf(await post(path, { ...CONTENTS, ...fields }), 'gemini')
    expect(refusal.status).toBe(400)
    expect(refusal.message).toContain(param)
  })

  it.each([
    ['input', { input: 5 }],
    ['input', { input: undefined }],
    ['input[0]', { input: [5] }],
    ['input[0].role', { input: [{ role: 'wizard', content: 'Hello' }] }],
    ['tools', { tools: {} }],
    ['max_output_tokens', { max_output_tokens: 'many' }],
    ['instructions', { instructions: 5 }],
  ])('%s is named in an error of Responses: %j', async (param, fields) => {
    const body = { model: 'google/gemini-2.5-pro', input: 'Hello', ...fields }
    const refusal = await refusalOf(await post('/v1/responses', body), 'openai')
    expect(refusal).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(refusal.param?.startsWith(param)).toBe(true)
  })

  it.each([undefined, null, 5, '', {}, []])('the model %j is refused', async (model) => {
    for (const [path, family] of [
      ['/v1/chat/completions', 'openai'],
      ['/v1/messages', 'anthropic'],
    ] as const) {
      const refusal = await refusalOf(await post(path, { ...MESSAGES, model }), family)
      expect(refusal.status).toBe(400)
      expect(refusal.message).toContain('`model`')
    }
  })

  it.each(['1e400', '-1e400', '1e308', '9007199254740993', '-0', '1e-400'])(
    'the number %s harms nobody',
    async (number) => {
      for (const provider of ['openai/gpt-4o', 'anthropic/claude', 'google/gemini']) {
        for (const field of ['max_tokens', 'temperature', 'seed', 'n']) {
          const body = JSON.stringify({ ...CHAT, model: provider }).replace(/}$/, `,"${field}":${number}}`)
          // `n` answers would be made one by one: only what asks for few of them is let through.
          const response = await post('/v1/chat/completions', body)
          await response.arrayBuffer()
          expect([200, 400], `${provider} ${field} ${number}`).toContain(response.status)
        }
      }
    },
  )
})

describe('nesting', () => {
  const DEPTH = 100_000
  const deepList = '['.repeat(DEPTH) + ']'.repeat(DEPTH)
  const deepObject = `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`

  it.each([
    ['messages', deepList],
    ['messages', `[{"role":"user","content":${deepList}}]`],
    ['metadata', deepObject],
    ['unknown_field', deepObject],
    ['response_format', deepObject],
    ['tools', `[{"type":"function","function":{"name":"f","parameters":${deepObject}}}]`],
    ['tool_choice', deepObject],
  ])('100,000 deep in %s harms nobody', async (field, value) => {
    for (const model of ['openai/gpt-4o', 'anthropic/claude', 'google/gemini']) {
      const { [field as 'messages']: _, ...rest } = { ...CHAT, model }
      const body = `${JSON.stringify(rest).slice(0, -1)},"${field}":${value}}`
      const response = await post('/v1/chat/completions', body)
      const text = await response.text()
      // The simulator, which is no part of the gateway, may give up on what it is sent as it came.
      const forwarded = model.startsWith('openai/')
      expect(forwarded ? [200, 400, 502] : [200, 400], `${model}: ${text.slice(0, 300)}`).toContain(
        response.status,
      )
      if (response.status === 400) expect(SHAPES.openai.safeParse(JSON.parse(text)).success).toBe(true)
    }
  })
})

describe('names that occur twice', () => {
  it('are read by the provider as they were read by us', async () => {
    const twice: [string, string][] = [
      [
        'model',
        '{"model":"openai/first","model":"openai/second","messages":[{"role":"user","content":"Hello"}]}',
      ],
      [
        'escape',
        '{"\\u006dodel":"openai/first","model":"openai/second","messages":[{"role":"user","content":"Hello"}]}',
      ],
      [
        'last escape',
        '{"model":"openai/first","mod\\u0065l":"openai/second","messages":[{"role":"user","content":"Hello"}]}',
      ],
      [
        'cap',
        '{"model":"openai/second","max_tokens":1,"messages":[{"role":"user","content":"Hello"}],"model":"openai/second"}',
      ],
    ]
    for (const [name, body] of twice) {
      const response = await post('/v1/chat/completions', body)
      expect(response.status, name).toBe(200)
      expect(response.headers.get('x-gatehouse-model'), name).toBe('second')
      const received = receivedShape.parse(await simulated('last'))
      expect(received.body, name).toMatchObject({ model: 'second' })
      // As long as its own JSON: nothing stands in it twice.
      expect(Number(received.headers['content-length']), name).toBe(
        Buffer.byteLength(JSON.stringify(received.body)),
      )
    }
  })

  it('lead nobody past the models that a key may use', async () => {
    const { id } = await house.gateway.organizations.create({ name: 'Restricted' })
    const { key } = await house.gateway.organizations.issueKey(id, {
      name: 'one model',
      models: ['openai/allowed'],
    })
    const headers = { authorization: `Bearer ${key}` }
    const messages = '"messages":[{"role":"user","content":"Hello"}]'
    const refused = await post(
      '/v1/chat/completions',
      `{"model":"openai/allowed",${messages},"model":"openai/forbidden"}`,
      headers,
    )
    expect(await refusalOf(refused, 'openai')).toMatchObject({ status: 403, code: 'model_not_allowed' })
    const passed = await post(
      '/v1/chat/completions',
      `{"model":"openai/forbidden",${messages},"model":"openai/allowed"}`,
      headers,
    )
    expect(passed.status).toBe(200)
    const received = receivedShape.parse(await simulated('last'))
    expect(received.body).toMatchObject({ model: 'allowed' })
    expect(JSON.stringify(received.body)).not.toContain('forbidden')
    expect(Number(received.headers['content-length'])).toBe(Buffer.byteLength(JSON.stringify(received.body)))
  })
})

describe('strange texts', () => {
  it.each([
    ['half a surrogate pair', '"\\ud800"'],
    ['the other half', '"a\\udc00b"'],
    ['null characters', '"a\\u0000b"'],
    ['a line separator', '"a\\u2028b"'],
    ['a text that looks like an event', '"data: [DONE]\\n\\ndata: {}\\n\\n"'],
  ])('%s passes in content, whole and streamed', async (_name, json) => {
    for (const model of ['openai/gpt-4o', 'anthropic/claude', 'google/gemini']) {
      for (const stream of [false, true]) {
        const body = `{"model":"${model}","stream":${stream},"messages":[{"role":"user","content":${json}}]}`
        const response = await post('/v1/chat/completions', body)
        expect(response.status).toBe(200)
        const text = await response.text()
        if (stream) expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
        else expect(JSON.parse(text)).toMatchObject({ object: 'chat.completion' })
      }
    }
  })

  it.each(['\\r\\nx-injected: 1', '\\ud800', '\\u0000', 'Ä\\n', '🙂', '%0d%0a', '?x=1', '#x'])(
    'the model name gpt%s ends up in no header and no path',
    async (name) => {
      for (const provider of ['openai', 'anthropic', 'google']) {
        const body = `{"model":"${provider}/gpt${name}","messages":[{"role":"user","content":"Hello"}]}`
        const response = await post('/v1/chat/completions', body)
        expect([200, 400, 404]).toContain(response.status)
        expect(response.headers.has('x-injected')).toBe(false)
        await response.arrayBuffer()
      }
    },
  )

  it('user, session, tags and task are kept as they are, and cut where they are long', async () => {
    const response = await post(
      '/v1/chat/completions',
      { ...CHAT, user: `a\r\nx-injected: 1${'x'.repeat(100_000)}`, metadata: { tag: 'a\r\nb', n: 5, o: {} } },
      {
        'x-gatehouse-session': 's'.repeat(8000),
        'x-gatehouse-tags': Array.from({ length: 100 }, (_, index) => `t${index}=v`).join(','),
        'x-gatehouse-task': "chat'; drop table organizations; --",
      },
    )
    expect(response.status).toBe(200)
    expect(response.headers.has('x-injected')).toBe(false)
    const [row] = await house.ledger()
    expect(row?.userId?.length).toBeLessThanOrEqual(256)
    expect(row?.userId?.startsWith('a\r\nx-injected: 1xxx')).toBe(true)
    expect(row?.sessionId?.length).toBeLessThanOrEqual(256)
    expect(row?.sessionId?.startsWith('sss')).toBe(true)
    expect(Object.keys(row?.tags ?? {})).toHaveLength(16)
    expect(row?.task).toBe("chat'; drop table organizations; --")
  })

  it.each(['\\u0000', '\\ud800'])(
    '%s in user and tags reaches the ledger, or is refused; no row is lost',
    async (bad) => {
      const body = `{"model":"openai/gpt-4o","user":"u${bad}","metadata":{"tag":"t${bad}"},"messages":[{"role":"user","content":"Hello"}]}`
      const response = await post('/v1/chat/completions', body)
      const id = response.headers.get('x-request-id')
      await response.arrayBuffer()
      expect([200, 400]).toContain(response.status)
      expect((await house.ledger()).map(({ requestId }) => requestId)).toContain(id)
    },
  )
})

describe('paths', () => {
  it.each([
    'google/../../sim/control',
    'google/..%2f..%2fsim%2fcontrol',
    'google/%2e%2e/%2e%2e/sim/stats/reset',
    'google/a?b=c',
    'google/a#b',
    'google/a b',
    'google/models/../x',
  ])('the model %s stays a name', async (model) => {
    const before = await simulated('control')
    const response = await post('/v1/chat/completions', { ...CHAT, model })
    expect(response.status).toBe(200)
    await response.arrayBuffer()
    const received = receivedShape.parse(await simulated('last'))
    expect(received.path).toMatch(/^\/v1beta\/models\/[^/?#]+:generateContent$/)
    expect(await simulated('control')).toEqual(before)
  })

  it.each([
    ['/v1beta/models/google/..%2f..%2fsim%2fcontrol:generateContent', 'gemini'],
    ['/v1beta/models/google%2f..%2f..%2fsim:generateContent', 'gemini'],
    ['/openai/deployments/google%2F..%2F..%2Fsim/chat/completions', 'openai'],
  ])('POST %s stays on its way', async (path, family) => {
    const response = await post(path, family === 'gemini' ? CONTENTS : CHAT)
    expect([200, 400, 404]).toContain(response.status)
    await response.arrayBuffer()
    const received = receivedShape.parse(await simulated('last'))
    expect(received.path).toMatch(/^\/v1(beta)?\/(models\/[^/?#]+:generateContent|chat\/completions)$/)
  })

  it.each([
    ['GET', '/v1/models/%zz', 'openai'],
    ['GET', '/v1/models/%25zz', 'openai'],
    ['GET', '/v1/models/%E0%A4%A', 'openai'],
    ['POST', '/v1beta/models/%zz:generateContent', 'gemini'],
    ['POST', '/v1beta/models/:generateContent', 'gemini'],
    ['POST', '/v1beta/models/google/gemini:makeCoffee', 'gemini'],
    ['POST', `/v1beta/models/${'x'.repeat(5000)}:generateContent`, 'gemini'],
    ['GET', '/v1/nothing', 'openai'],
    ['POST', '/v1/nothing', 'openai'],
    ['POST', '/v1/messages/nothing', 'anthropic'],
    ['POST', '/v1beta/nothing', 'gemini'],
    ['GET', '/../../etc/passwd', 'openai'],
  ] as const)('%s %s is refused in the shape of its format', async (method, path, family) => {
    const heard = await talk(
      `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${house.key}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
    )
    const [head = '', body = ''] = heard.split('\r\n\r\n')
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1])
    expect([400, 404]).toContain(status)
    expect(() => SHAPES[family].parse(JSON.parse(body)), body).not.toThrow()
  })

  it('an unknown model is answered with the nearest names, in every format', async () => {
    const asked: [string, Family, object][] = [
      ['/v1/chat/completions', 'openai', { ...CHAT, model: 'gpt-4oo' }],
      ['/v1/responses', 'openai', { model: 'gpt-4oo', input: 'Hello' }],
      ['/v1/messages', 'anthropic', { ...MESSAGES, model: 'gpt-4oo' }],
      ['/v1beta/models/gpt-4oo:generateContent', 'gemini', CONTENTS],
    ]
    for (const [path, family, body] of asked) {
      const refusal = await refusalOf(await post(path, body), family)
      expect(refusal.status).toBe(404)
      expect(refusal.message).toContain('`openai/gpt-4o`')
    }
  })

  it('a name of a megabyte is cut short in the answer', async () => {
    const refusal = await refusalOf(
      await post('/v1/chat/completions', { ...CHAT, model: 'x'.repeat(1_000_000) }),
      'openai',
    )
    expect(refusal.status).toBe(404)
    expect(refusal.message.length).toBeLessThan(500)
  })

  it('other methods are refused where a path holds a name, too', async () => {
    for (const path of ['/v1/models/openai/gpt-4o', '/v1/models']) {
      const response = await fetch(house.url + path, { method: 'DELETE' })
      expect(response.headers.get('allow'), path).toContain('GET')
      expect((await refusalOf(response, 'openai')).status).toBe(405)
    }
  })
})

describe('keys', () => {
  let organizations = 0

  async function adminCall(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${house.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${house.adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    expect(response.ok, `${method} ${path}`).toBe(true)
    return response.status === 204 ? undefined : response.json()
  }

  async function newKey(fields: object = {}): Promise<{ id: string; key: string }> {
    const organization = z
      .object({ id: z.string() })
      .parse(await adminCall('POST', '/organizations', { name: `Organization ${++organizations}` }))
    const issued = await adminCall('POST', `/organizations/${organization.id}/keys`, { name: 'k', ...fields })
    return z.object({ id: z.string(), key: z.string() }).parse(issued)
  }

  it.each(ROUTES)(
    'unknown, expired and revoked ones get the same text at $path',
    async ({ path, family, body }) => {
      const expiring = await newKey({ expiresAt: new Date(Date.now() + 60_000).toISOString() })
      const revoked = await newKey()
      const send = (key: string | undefined) =>
        post(path, body, { authorization: key === undefined ? '' : `Bearer ${key}` })
      for (const { key } of [expiring, revoked]) expect((await send(key)).status).toBe(200)

      await adminCall('DELETE', `/keys/${revoked.id}`)
      const revokedAt = performance.now()
      await vi.waitFor(async () => expect((await send(revoked.key)).status).toBe(401), {
        timeout: 1000,
        interval: 5,
      })
      expect(performance.now() - revokedAt).toBeLessThan(1000)
      aheadMs = 120_000
      const refusals = await Promise.all(
        [undefined, 'gh-wrong', 'sk-ant-something', '\u00ff', expiring.key, revoked.key].map(async (key) =>
          refusalOf(await send(key), family),
        ),
      )
      aheadMs = 0
      expect(new Set(refusals.map(({ status }) => status))).toEqual(new Set([401]))
      expect(new Set(refusals.map(({ message }) => message)).size).toBe(1)
      if (family !== 'anthropic') {
        const none = 'invalid_api_key'
        expect(refusals.map(({ code }) => code)).toEqual([
          none,
          none,
          none,
          none,
          'key_expired',
          'key_revoked',
        ])
      }
    },
  )

  it('the admin key opens no data plane, and a key no control API', async () => {
    const response = await post('/v1/chat/completions', CHAT, { authorization: `Bearer ${house.adminKey}` })
    expect(response.status).toBe(401)
    const other = await fetch(`${house.url}/api/v1/organizations`, {
      headers: { authorization: `Bearer ${house.key}` },
    })
    expect(other.status).toBe(401)
  })
})

describe('the socket', () => {
  const hello = JSON.stringify(CHAT)

  it('a body that is too large is refused before it is sent', async () => {
    const announced = rawPost('', ['x: y'])
      .toString()
      .replace('content-length: 0', `content-length: ${25 * 1024 * 1024}`)
    const heard = await talk(announced, /"code":"request_too_large"/)
    expect(heard).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('a chunked body that grows too large is refused', async () => {
    const socket = open()
    let heard = ''
    socket.on('data', (data) => {
      heard += data.toString('latin1')
    })
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${house.key}\r\ntransfer-encoding: chunked\r\n\r\n`,
    )
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
    for (let sent = 0; sent < 25 && !socket.destroyed && heard === ''; sent++) {
      await new Promise<void>((resolve) => socket.write(chunk, () => resolve()))
    }
    await vi.waitFor(() => expect(heard).toContain('20971520'), { timeout: 3000 })
    expect(heard).toMatch(/^HTTP\/1\.1 413 /)
    expect(heard).toContain('"type":"request_too_large"')
    socket.destroy()
  })

  it('a chunked body without a length is read', async () => {
    const chunks = [...hello].map((character) => `1\r\n${character}\r\n`).join('')
    const heard = await talk(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${house.key}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n${chunks}0\r\n\r\n`,
    )
    expect(heard).toMatch(/^HTTP\/1\.1 200 /)
    expect(heard).toContain('"content":"Hello"')
  })

  it('a flood of headers is refused with 431', async () => {
    const one = await talk(rawPost(hello, [`x-large: ${'x'.repeat(20_000)}`]))
    const many = await talk(
      rawPost(
        hello,
        Array.from({ length: 3000 }, (_, index) => `x-${index}: y`),
      ),
    )
    for (const heard of [one, many]) {
      expect(heard).toMatch(/^HTTP\/1\.1 431 /)
      expect(heard).toContain('"code":"headers_too_large"')
    }
  })

  it.each([
    ['noise', Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 197 + 31) % 256))],
    ['null bytes', Buffer.alloc(5000)],
    ['a TLS greeting', Buffer.from('160301020001000001fc0303', 'hex')],
    ['HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['another version', Buffer.from('GET / HTTP/9.9\r\n\r\n')],
    ['a broken header', Buffer.from('GET / HTTP/1.1\r\nhost\r\n\r\n')],
    [
      'a header with a line break',
      Buffer.from('GET /v1/models HTTP/1.1\r\nhost: x\r\nx-gatehouse-tags: a=b\n\rc\r\n\r\n'),
    ],
    [
      'a header with a null byte',
      Buffer.from('GET /v1/models HTTP/1.1\r\nhost: x\r\nx-tags: a\u0000b\r\n\r\n'),
    ],
    ['a negative length', Buffer.from('POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n')],
    [
      'two lengths',
      Buffer.from(
        'POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}',
      ),
    ],
    [
      'a length and chunks',
      Buffer.from(
        'POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      ),
    ],
    [
      'a chunk of no size',
      Buffer.from('POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'),
    ],
    [
      'an unknown encoding',
      Buffer.from('POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, banana\r\n\r\n'),
    ],
  ])('%s is answered with 400 and hung up on', async (_name, bytes) => {
    const heard = await talk(bytes)
    expect(heard).toMatch(/^HTTP\/1\.1 400 /)
    expect(heard).toContain('"code":"invalid_request"')
  })

  it('requests in a row are answered in order', async () => {
    const first = rawPost(hello.replace('Hello', 'First'))
    const second = rawPost(hello.replace('Hello', 'Second'), ['connection: close'])
    const heard = await talk(Buffer.concat([first, second]))
    const statuses = [...heard.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)
    expect(statuses).toEqual(['200', '200'])
    expect(heard.indexOf('First')).toBeLessThan(heard.indexOf('Second'))
  })

  it('junk behind a request ends the connection', async () => {
    const heard = await talk(Buffer.concat([rawPost(hello), Buffer.from('\u0001\u0002 junk\r\n\r\n')]))
    const last = heard.slice(heard.lastIndexOf('HTTP/1.1'))
    expect(last).toMatch(/^HTTP\/1\.1 400 /)
    expect(last).toContain('"code":"invalid_request"')
    await vi.waitFor(() => expect(house.simulator.stats().inFlight).toBe(0))
  })

  it('headers that come one by one are waited for, and hold up nobody', async () => {
    const idle = Array.from({ length: 50 }, () => {
      const socket = open()
      socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n')
      return socket
    })
    const slow = open()
    let heard = ''
    slow.on('data', (data) => {
      heard += data.toString()
    })
    for (const byte of rawPost(hello, ['connection: close'])) {
      slow.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closed(slow)
    expect(heard).toContain('"content":"Hello"')
    for (const socket of idle) socket.destroy()
  })

  it('a caller that leaves while sending leaves nothing behind', async () => {
    const before = house.simulator.stats().calls
    const leaving = Array.from({ length: 20 }, async () => {
      const socket = open()
      await once(socket, 'connect')
      const bytes = rawPost(hello)
      socket.write(bytes.subarray(0, bytes.length - 10), () => socket.resetAndDestroy())
      await closed(socket)
    })
    await Promise.all(leaving)
    expect((await post('/v1/chat/completions', CHAT)).status).toBe(200)
    expect(house.simulator.stats().calls).toBe(before + 1)
  })

  it.each([
    ['HTTP/1.0', (bytes: string) => bytes.replace('HTTP/1.1', 'HTTP/1.0')],
    ['an absolute address', (bytes: string) => bytes.replace('POST /', 'POST http://elsewhere/')],
    [
      'expect: 100-continue',
      (bytes: string) => bytes.replace('\r\n\r\n', '\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n'),
    ],
    [
      'an offer to upgrade',
      (bytes: string) => bytes.replace('\r\n\r\n', '\r\nupgrade: h2c\r\nconnection: close\r\n\r\n'),
    ],
    ['no content type', (bytes: string) => bytes.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')],
    [
      'another content type',
      (bytes: string) =>
        bytes.replace('\r\n\r\n', '\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n'),
    ],
  ])('%s is understood', async (_name, change) => {
    const heard = await talk(change(rawPost(hello).toString()), /"content":"Hello"/)
    expect(heard).toMatch(/HTTP\/1\.1 200 /)
    expect(heard).toContain('"content":"Hello"')
  })

  it.each(['CONNECT elsewhere:443 HTTP/1.1', 'TRACE / HTTP/1.1', 'PROPFIND / HTTP/1.1'])(
    '%s leads nowhere',
    async (line) => {
      const heard = await talk(`${line}\r\nhost: x\r\nconnection: close\r\n\r\n`)
      expect(heard === '' || /^HTTP\/1\.1 (400|404|405) /.test(heard)).toBe(true)
    },
  )

  it('an offer of a web socket is refused in plain HTTP', async () => {
    const heard = await talk(
      `GET /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      /}$/,
    )
    expect(heard).toMatch(/^HTTP\/1\.1 (404|405) /)
  })
})
