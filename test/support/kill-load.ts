/** Calls of every kind, as fast as they are answered, and which of them were answered to their end. */
export interface Load {
  /** `x-request-id` of every call whose reply was there to its last byte, by kind. */
  readonly answered: ReadonlyMap<string, readonly string[]>
  /** Resolves when nobody calls any more: every call has ended or broken off. */
  readonly ended: Promise<void>
}

interface Kind {
  readonly name: string
  readonly path: string
  readonly body: object
  readonly headers?: Record<string, string>
  readonly status: number
  /** The words that end a stream; nothing = the end of its body. */
  readonly end?: string
}

const MESSAGES = [{ role: 'user', content: 'one two three' }]
const CHAT = { model: 'openai/gpt-4o', messages: MESSAGES }
const CLAUDE = { model: 'anthropic/claude-sonnet-4-5', max_tokens: 50, messages: MESSAGES }
const KINDS: readonly Kind[] = [
  { name: 'reply', path: '/v1/chat/completions', body: CHAT, status: 200 },
  {
    name: 'stream',
    path: '/v1/chat/completions',
    body: { ...CHAT, stream: true },
    status: 200,
    end: 'data: [DONE]\n\n',
  },
  {
    name: 'stream that is translated',
    path: '/v1/chat/completions',
    body: { ...CLAUDE, stream: true },
    status: 200,
    end: 'data: [DONE]\n\n',
  },
  {
    name: 'stream of Anthropic',
    path: '/v1/messages',
    body: { ...CLAUDE, stream: true },
    status: 200,
    end: '"message_stop"}\n\n',
  },
  {
    name: 'stream that breaks',
    path: '/v1/chat/completions',
    body: { ...CHAT, stream: true },
    headers: { 'x-sim': 'cut=2' },
    status: 200,
    end: '}\n\n',
  },
  {
    name: 'bytes',
    path: '/v1/audio/speech',
    body: { model: 'openai/tts-1', voice: 'alloy', input: 'Hi' },
    status: 200,
  },
  {
    name: 'refusal of ours',
    path: '/v1/chat/completions',
    body: { ...CHAT, model: 'openai/gpt-4o', messages: 5 },
    status: 400,
  },
  {
    name: 'refusal of the provider',
    path: '/v1/chat/completions',
    body: CHAT,
    headers: { 'x-sim': 'status=404' },
    status: 404,
  },
]
const CALLERS = KINDS.length

/**
 * @param onAnswered called the moment that a caller has the last byte of a reply
 */
export function startLoad(url: string, key: string, onAnswered: (calls: number) => void): Load {
  const answered = new Map<string, string[]>(KINDS.map(({ name }) => [name, []]))
  let calls = 0

  async function call(kind: Kind): Promise<void> {
    const response = await fetch(url + kind.path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...kind.headers },
      body: JSON.stringify(kind.body),
    })
    if (response.status !== kind.status)
      throw new Error(`${kind.name}: ${response.status} ${await response.text()}`)
    const whole = () => {
      answered.get(kind.name)?.push(response.headers.get('x-request-id') ?? '')
      onAnswered(++calls)
    }
    if (kind.end === undefined || response.body === null) {
      await response.arrayBuffer()
      whole()
      return
    }
    let text = ''
    let isWhole = false
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const isEnd = kind.name === 'stream that breaks' ? text.includes('"error"') : true
      if (isWhole || !isEnd || !text.endsWith(kind.end)) continue
      isWhole = true
      whole()
    }
  }

  /** Until the gateway is gone. */
  async function keepCalling(first: number): Promise<void> {
    for (let turn = first; ; turn++) {
      const kind = KINDS[turn % KINDS.length]
      if (kind === undefined) return
      try {
        await call(kind)
      } catch (error) {
        if (error instanceof TypeError) return
        throw error
      }
    }
  }

  const callers = Array.from({ length: CALLERS }, (_, index) => keepCalling(index))
  return { answered, ended: Promise.all(callers).then(() => undefined) }
}
