import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import type { ChatStream, ReplyFrame } from '../pipeline/reply.ts'
import { whole } from './whole-stream.ts'

function frame(...events: StreamEvent[]): ReplyFrame {
  return { raw: undefined, events }
}

function stream(batches: ReplyFrame[][]) {
  const state = { closed: false }
  async function* events() {
    try {
      yield* batches
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

const TEXT = frame({ type: 'text-delta', choice: 0, text: 'Hi' })
const END = frame({ type: 'reply-end' })

describe('whole()', () => {
  it('gives all of a complete answer, batch by batch', async () => {
    const { reply, state } = stream([[TEXT], [TEXT, TEXT], [END]])
    const held = await whole(reply)
    expect(state.closed).toBe(true)
    const batches: (readonly ReplyFrame[])[] = []
    for await (const frames of held.events) batches.push(frames)
    expect(batches).toEqual([[TEXT], [TEXT, TEXT], [END]])
  })

  it('throws where the answer breaks, however late, and closes it', async () => {
    const error = frame({ type: 'error', error: { code: 'x', type: 'y', message: 'cut' } })
    const { reply, state } = stream([[TEXT], [TEXT, error], [END]])
    await expect(whole(reply)).rejects.toMatchObject({ code: 'upstream_error', message: 'cut' })
    expect(state.closed).toBe(true)
  })

  it('does not hold an answer without end', async () => {
    const long = frame({ type: 'text-delta', choice: 0, text: 'x'.repeat(1 << 20) })
    const { reply, state } = stream(Array.from({ length: 20 }, () => [long]))
    await expect(whole(reply)).rejects.toMatchObject({ code: 'upstream_error' })
    expect(state.closed).toBe(true)
  })
})
