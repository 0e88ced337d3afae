/** One sampled profile of a thread, as the inspector protocol gives it. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

export interface ProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
  }
  readonly children?: readonly number[]
}

/** The profiler of a running Node.js process: its main thread and its worker threads. */
export interface Inspector {
  start(samplingUs: number): Promise<void>
  /** @returns a profile for each thread, the main one first */
  stop(): Promise<CpuProfile[]>
  close(): void
}

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly sessionId?: string; readonly message?: string }
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

const REPLY_TIMEOUT_MS = 60_000

/**
 * Joins the inspector of a process started with `--inspect`.
 *
 * @param url as Node.js prints it: `ws://127.0.0.1:…`
 * @see https://chromedevtools.github.io/devtools-protocol/v8/Profiler/ and Node's own domain NodeWorker
 */
export async function openInspector(url: string): Promise<Inspector> {
  const socket = new WebSocket(url)
  const waiting = new Map<string, (reply: Reply) => void>()
  const workers: string[] = []
  let lastId = 0
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error(`The inspector at ${url} does not answer.`))
  })
  socket.onmessage = ({ data }) => read(JSON.parse(String(data)) as Reply, '')

  function read(reply: Reply, session: string): void {
    if (reply.method === 'NodeWorker.attachedToWorker') workers.push(reply.params?.sessionId ?? '')
    else if (reply.method === 'NodeWorker.receivedMessageFromWorker') {
      read(JSON.parse(reply.params?.message ?? '{}') as Reply, reply.params?.sessionId ?? '')
    } else if (reply.id !== undefined) waiting.get(`${session}/${reply.id}`)?.(reply)
  }

  /** @param session of a worker, `''` for the main thread */
  function send(session: string, method: string, params: object = {}): Promise<unknown> {
    lastId++
    const message = JSON.stringify({ id: lastId, method, params })
    const answer = new Promise<unknown>((resolve, reject) => {
      const key = `${session}/${lastId}`
      const timer = setTimeout(() => reject(new Error(`${method} was not answered.`)), REPLY_TIMEOUT_MS)
      waiting.set(key, ({ result, error }) => {
        clearTimeout(timer)
        waiting.delete(key)
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
    })
    if (session === '') socket.send(message)
    else {
      lastId++
      const wrapped = { sessionId: session, message }
      socket.send(JSON.stringify({ id: lastId, method: 'NodeWorker.sendMessageToWorker', params: wrapped }))
    }
    return answer
  }

  await send('', 'NodeWorker.enable', { waitForDebuggerOnStart: false })
  const threads = () => ['', ...workers]
  return {
    async start(samplingUs) {
      for (const thread of threads()) {
        await send(thread, 'Profiler.enable')
        await send(thread, 'Profiler.setSamplingInterval', { interval: samplingUs })
        await send(thread, 'Profiler.start')
      }
    },
    async stop() {
      const profiles: CpuProfile[] = []
      for (const thread of threads()) {
        const { profile } = (await send(thread, 'Profiler.stop')) as { profile: CpuProfile }
        profiles.push(profile)
      }
      return profiles
    },
    close: () => socket.close(),
  }
}
