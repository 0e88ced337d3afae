import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import type { ChatStream, ReplyFrame } from '../pipeline/reply.ts'
import { begun } from './begun-stream.ts'

function frame(...events: StreamEvent[]): ReplyFrame {
  return { raw: undefined, events }
}

const START = frame({ type: 'reply-start', id: 'i', model: 'm', createdSeconds: 0 })
const TEXT = frame({ type: 'text-delta', choice: 0, text: 'Hi' })
const END = frame({ type: 'reply-end' })
const ERROR = frame({ type: 'error', error: { code: 'overloaded_error', type: 'x', message: 'busy' } })

function stream(batches: ReplyFrame[][]) {
  const state = { closed: false, read: 0 }
  async function* events() {
    try {
      for (const batch of batches) {
        state.read++
        yield batch
      }
    } finally {
      state.closed = true
    }
  }
  const reply: ChatStream = {
    kind: 'stream',
    status: 200,
    headers: {},
    format: 'chat',
    onCancel: 'abort',
    events: events(),
  }
  return { reply, state }
}

async function all(reply: ChatStream): Promise<ReplyFrame[]> {
  const frames: ReplyFrame[] = []
  for await (const batch of reply.events) frames.push(...batch)
  return frames
}

describe('begun()', () => {
  it('loses nothing and keeps the order', async () => {
    const { reply, state } = stream([[START], [frame({ type: 'ping' })], [TEXT], [TEXT, END]])
    const waited = await begun(reply)
    expect(state.read).toBe(3)
    expect(await all(waited)).toEqual([START, frame({ type: 'ping' }), TEXT, TEXT, END])
  })

  it('throws what comes before the first content, and closes the stream', async () => {
    const { reply, state } = stream([[START], [ERROR]])
    await expect(begun(reply)).rejects.toMatchObject({ code: 'upstream_error', message: 'busy' })
    expect(state.closed).toBe(true)
  })

  it('leaves an error behind the first content to whoever reads', async () => {
    const { reply } = stream([[START, TEXT, ERROR]])
    expect(await all(await begun(reply))).toEqual([START, TEXT, ERROR])
  })

  it('takes an answer without a word for an answer', async () => {
    const { reply } = stream([[START], [END]])
    expect(await all(await begun(reply))).toEqual([START, END])
  })

  it('closes the stream when its reader leaves', async () => {
    const { reply, state } = stream([[START], [TEXT], [TEXT]])
    const waited = await begun(reply)
    for await (const _ of waited.events) break
    expect(state.closed).toBe(true)
  })
})
