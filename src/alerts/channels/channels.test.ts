import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../core/secret.ts'
import { someAlert } from '../fixtures/alert.ts'
import type { AlertMessage, Channel } from './channel.ts'
import { type ChannelSettings, openChannels } from './open-channels.ts'
import { isSigned, SIGNATURE_HEADER } from './signature.ts'

const NOW = Date.UTC(2026, 10, 20, 10)
const SIGNAL = new AbortController().signal
const raised: AlertMessage = { moment: 'raised', alert: someAlert() }
const resolved: AlertMessage = {
  moment: 'resolved',
  alert: someAlert({ status: 'resolved', resolvedAt: new Date(NOW), resolvedBy: 'rules' }),
}

interface Post {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

const posts: Post[] = []
let status = 200
/** Says what it was asked, as error pages do. */
const server = createServer(async (request, response) => {
  const text = Buffer.concat(await request.toArray()).toString()
  posts.push({ path: request.url ?? '', headers: request.headers, text })
  response.writeHead(status, { location: '/elsewhere' }).end(`Cannot POST ${request.url}`)
})
let base = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())))
beforeEach(() => {
  posts.length = 0
  status = 200
})

function open(settings: ChannelSettings): Channel {
  const channels = openChannels([settings], {
    logger: { info() {}, warn() {}, error() {} },
    now: () => NOW,
    pagerDutyUrl: `${base}/v2/enqueue`,
  })
  const channel = channels.get(settings.name ?? settings.kind)
  if (channel === undefined) throw new Error('The channel is not there.')
  return channel
}

async function bodyOf(channel: Channel, message: AlertMessage) {
  await channel.send(message, SIGNAL)
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
  return JSON.parse(posts.at(-1)?.text ?? 'null') as any
}

const hook = () => new Secret(`${base}/services/T0/B0/token`)
const chats = ['slack', 'teams', 'discord'] as const

describe('openChannels()', () => {
  it('has the log and gives each channel a name of its own', () => {
    const url = hook()
    const channels = openChannels(
      [
        { kind: 'slack', url },
        { kind: 'slack', url },
        { kind: 'teams', url, name: 'slack' },
        { kind: 'webhook', url, name: 'log' },
      ],
      { logger: { info() {}, warn() {}, error() {} }, now: () => NOW },
    )
    expect([...channels.values()].map(({ name, kind }) => [name, kind])).toEqual([
      ['log', 'log'],
      ['slack', 'slack'],
      ['slack-2', 'slack'],
      ['slack-3', 'teams'],
      ['log-2', 'webhook'],
    ])
  })
})

describe('the log', () => {
  it('says what is severe louder', async () => {
    const lines: string[] = []
    const write = (level: string) => (fields: object, message: string) =>
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
    const logger = { info: write('info'), warn: write('warn'), error: write('error') }
    const log = openChannels([], { logger, now: () => NOW }).get('log')
    await log?.send(raised, SIGNAL)
    await log?.send({ moment: 'raised', alert: someAlert({ severity: 'medium' }) }, SIGNAL)
    await log?.send(resolved, SIGNAL)
    expect(lines.map((line) => line.split(' {')[0])).toEqual([
      'error alert raised',
      'warn alert raised',
      'info alert resolved',
    ])
    expect(lines[0]).toContain('"id":"0199-alert"')
  })
})

describe('a webhook', () => {
  it('gets the alert as JSON, signed where there is a secret', async () => {
    const body = await bodyOf(open({ kind: 'webhook', url: hook(), secret: new Secret('key') }), raised)
    expect(body).toEqual({
      type: 'alert.raised',
      alert: {
        id: '0199-alert',
        kind: 'budget_threshold',
        severity: 'high',
        status: 'active',
        organizationId: 'acme',
        dedupeKey: 'budget_threshold/acme',
        title: raised.alert.title,
        detail: raised.alert.detail,
        raisedAt: '2026-11-20T10:00:00.000Z',
        acknowledgedAt: null,
        resolvedAt: null,
      },
    })
    const [post] = posts
    const header = String(post?.headers[SIGNATURE_HEADER])
    expect(header).toMatch(/^t=1795168800,v1=[0-9a-f]{64}$/)
    expect(isSigned(post?.text ?? '', 'key', header, NOW / 1000)).toBe(true)
    expect(isSigned(post?.text ?? '', 'other', header, NOW / 1000)).toBe(false)
    expect(isSigned(`${post?.text} `, 'key', header, NOW / 1000)).toBe(false)
    expect(isSigned(post?.text ?? '', 'key', header, NOW / 1000 + 301)).toBe(false)
    expect(
      isSigned(post?.text ?? '', 'key', header.replace('t=1795168800', 't=1795168801'), NOW / 1000),
    ).toBe(false)
    expect(isSigned(post?.text ?? '', 'key', 'nonsense', NOW / 1000)).toBe(false)

    expect((await bodyOf(open({ kind: 'webhook', url: hook() }), resolved)).type).toBe('alert.resolved')
    expect(posts[1]?.headers[SIGNATURE_HEADER]).toBeUndefined()
  })
})

describe('Slack', () => {
  it('gets blocks, and the same as text', async () => {
    const body = await bodyOf(open({ kind: 'slack', url: hook() }), raised)
    expect(body.text).toMatch(/^High: Acme has used 100 % of its budget of 50 USD\.\n/)
    expect(body.blocks).toEqual([
      { type: 'header', text: { type: 'plain_text', text: `High: ${raised.alert.title}` } },
      {
        type: 'section',
        fields: [
          { type: 'mrkdwn', text: '*Threshold*\n1' },
          { type: 'mrkdwn', text: '*Used USD*\n50' },
          { type: 'mrkdwn', text: '*Period start*\n2026-11-01T00:00:00.000Z' },
        ],
      },
      {
        type: 'context',
        elements: [{ type: 'mrkdwn', text: 'budget_threshold · 2026-11-20T10:00:00.000Z · 0199-alert' }],
      },
    ])
    expect((await bodyOf(open({ kind: 'slack', url: hook() }), resolved)).text).toMatch(/^Resolved: Acme/)
  })

  it('is not spoken to by names in an alert, and gets no more than it takes', async () => {
    const title = `<!channel> ${'long '.repeat(100)}`
    const alert = someAlert({ title, detail: { name: '<@U1> & <http://x|y>'.repeat(500) } })
    const { text, blocks } = await bodyOf(open({ kind: 'slack', url: hook() }), { moment: 'raised', alert })
    expect(text).toContain('&lt;!channel&gt;')
    expect(JSON.stringify({ text, blocks: blocks.slice(1) })).not.toMatch(/<[!@h]/)
    expect(blocks[0].text.text.length).toBe(150)
    expect(blocks[1].text.text).toContain(title.slice(-50).trim())
    expect(blocks[2].fields[0].text.length).toBeLessThan(2000)
  })
})

describe('Teams', () => {
  it('gets an adaptive card', async () => {
    const body = await bodyOf(open({ kind: 'teams', url: hook() }), raised)
    expect(body.type).toBe('message')
    const [{ contentType, content }] = body.attachments
    expect(contentType).toBe('application/vnd.microsoft.card.adaptive')
    expect(content).toMatchObject({ type: 'AdaptiveCard', version: '1.4' })
    expect(content.body[0]).toMatchObject({
      text: `High: ${raised.alert.title}`,
      color: 'Attention',
      wrap: true,
    })
    expect(content.body[1].facts).toContainEqual({ title: 'Used USD', value: '50' })
    const end = await bodyOf(open({ kind: 'teams', url: hook() }), resolved)
    expect(end.attachments[0].content.body[0].color).toBe('Good')
  })
})

describe('Discord', () => {
  it('gets an embed that calls nobody', async () => {
    const body = await bodyOf(open({ kind: 'discord', url: hook() }), raised)
    expect(body.allowed_mentions).toEqual({ parse: [] })
    expect(body.embeds[0]).toMatchObject({
      title: `High: ${raised.alert.title}`,
      color: 0xef4444,
      timestamp: '2026-11-20T10:00:00.000Z',
    })
    expect(body.embeds[0].fields).toContainEqual({ name: 'Used USD', value: '50', inline: true })
    const alert = someAlert({ title: 'x'.repeat(500) })
    const long = await bodyOf(open({ kind: 'discord', url: hook() }), { moment: 'raised', alert })
    expect(long.embeds[0].title.length).toBe(256)
  })
})

describe('PagerDuty', () => {
  const channel = () => open({ kind: 'pagerduty', routingKey: new Secret('routing-key') })

  it('opens an incident and resolves the same one', async () => {
    const trigger = await bodyOf(channel(), raised)
    expect(trigger).toEqual({
      routing_key: 'routing-key',
      dedup_key: 'budget_threshold/acme',
      event_action: 'trigger',
      client: 'Gatehouse',
      payload: {
        summary: raised.alert.title,
        source: 'gatehouse',
        severity: 'error',
        timestamp: '2026-11-20T10:00:00.000Z',
        class: 'budget_threshold',
        group: 'acme',
        custom_details: { ...raised.alert.detail, alert: '0199-alert' },
      },
    })
    expect(await bodyOf(channel(), resolved)).toEqual({
      routing_key: 'routing-key',
      dedup_key: 'budget_threshold/acme',
      event_action: 'resolve',
    })
    expect(posts.map(({ path }) => path)).toEqual(['/v2/enqueue', '/v2/enqueue'])
  })

  it('is left without an incident by a test', async () => {
    await channel().send({ ...raised, moment: 'test' }, SIGNAL)
    const events = posts.map(({ text }) => JSON.parse(text))
    expect(events.map((event) => event.event_action)).toEqual(['trigger', 'resolve'])
    expect(events[0].dedup_key).toBe(events[1].dedup_key)
  })

  it('gets a key that it takes, however long the alert’s', async () => {
    const alert = someAlert({ dedupeKey: 'k'.repeat(600) })
    const start = await bodyOf(channel(), { moment: 'raised', alert })
    const end = await bodyOf(channel(), { moment: 'resolved', alert })
    expect(start.dedup_key).toMatch(/^[0-9a-f]{64}$/)
    expect(end.dedup_key).toBe(start.dedup_key)
  })
})

describe('channels over HTTP', () => {
  it.each([...chats, 'webhook'] as const)('%s says what failed without its address', async (kind) => {
    const channel = open({ kind, url: hook() })
    for (const answered of [500, 404, 302]) {
      status = answered
      const failing = channel.send(raised, SIGNAL)
      await expect(failing).rejects.toMatchObject({
        code: 'upstream_error',
        message: `The receiver did not take the message: status ${answered}.`,
      })
    }
    const closed = open({ kind, url: new Secret('http://127.0.0.1:1/services/T0/B0/token') })
    const failing = closed.send(raised, SIGNAL)
    await expect(failing).rejects.toMatchObject({
      code: 'upstream_error',
      message: expect.not.stringContaining('token'),
    })
    await expect(
      open({ kind, url: new Secret('not an address') }).send(raised, SIGNAL),
    ).rejects.toMatchObject({
      code: 'upstream_error',
      message: expect.not.stringContaining('not an address'),
    })
  })

  it('are broken off by whoever closes', async () => {
    const closing = new AbortController()
    const silent = createServer(() => closing.abort())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const url = new Secret(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`)
    await expect(open({ kind: 'slack', url }).send(raised, closing.signal)).rejects.toMatchObject({
      code: 'upstream_error',
    })
    silent.closeAllConnections()
    await new Promise<void>((resolve) => silent.close(() => resolve()))
  })
})

describe('mail', () => {
  const mails: { from: string; to: string[]; text: string }[] = []
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth({ username, password }, _session, done) {
      if (password === 'right') done(null, { user: username })
      else done(new Error(`Invalid login of ${username}`))
    },
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const sender = envelope.mailFrom
        mails.push({
          from: sender === false ? '' : sender.address,
          to: envelope.rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
        })
        done()
      })
    },
  })
  let port = 0
  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      const listening = smtp.listen(0, '127.0.0.1', () => {
        port = (listening.address() as AddressInfo).port
        resolve()
      })
    })
  })
  afterAll(() => new Promise<void>((resolve) => smtp.close(() => resolve())))
  const mail = (login: string, to = ['a@example.com', 'b@example.com']) =>
    open({
      kind: 'email',
      smtpUrl: new Secret(`smtp://${login}127.0.0.1:${port}`),
      from: 'gate@example.com',
      to,
    })

  it('reaches every receiver as text and as HTML', async () => {
    const alert = someAlert({ title: 'Löwen <b> & Co', detail: { usedUsd: '50', name: '<script>' } })
    await mail('user:right@').send({ moment: 'raised', alert }, SIGNAL)
    const [got] = mails
    expect(got).toMatchObject({ from: 'gate@example.com', to: ['a@example.com', 'b@example.com'] })
    expect(got?.text).toContain('multipart/alternative')
    expect(got?.text).toMatch(/^Auto-Submitted: auto-generated/im)
    expect(got?.text).toMatch(/^Subject: =\?UTF-8\?/m)
    const text =
      got?.text
        .replace(/=\r?\n/g, '')
        .replaceAll('=C3=B6', 'ö')
        .replaceAll('=3D', '=') ?? ''
    expect(text).toContain('High: Löwen <b> & Co')
    expect(text).toContain('High: Löwen &lt;b&gt; &amp; Co')
    expect(text).toContain('&lt;script&gt;')
  })

  it('says what failed without the login', async () => {
    await expect(mail('someone:wrong@').send(raised, SIGNAL)).rejects.toMatchObject({
      code: 'upstream_error',
      message: 'The receiver did not take the message: SMTP status 535.',
    })
    const closed = open({
      kind: 'email',
      smtpUrl: new Secret('smtp://someone:secret@127.0.0.1:1'),
      from: 'gate@example.com',
      to: ['a@example.com'],
    })
    await expect(closed.send(raised, SIGNAL)).rejects.toMatchObject({
      code: 'upstream_error',
      message: expect.not.stringMatching(/secret|someone|127/),
    })
  })
})
