import { describe, expect, it } from 'vitest'
import type { Running } from './run.ts'
import { countUnderWay } from './under-way.ts'

const RUNNING = { reply: {}, end: async () => undefined } as unknown as Running

describe('countUnderWay()', () => {
  it('counts a call until it is settled, once, however often it is ended', async () => {
    const underWay = countUnderWay()
    const first = await underWay.track(Promise.resolve(RUNNING))
    const second = await underWay.track(Promise.resolve(RUNNING))
    expect(underWay.count).toBe(2)
    await first.end('completed')
    await first.end('failed')
    expect(underWay.count).toBe(1)
    const idle = Promise.all([underWay.idle(60_000), underWay.idle(60_000)])
    await second.end('completed')
    await idle
    expect(underWay.count).toBe(0)
  })

  it('forgets a call that failed before it had a reply, and waits only so long for others', async () => {
    const underWay = countUnderWay()
    await expect(underWay.track(Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    await underWay.idle(60_000)
    await underWay.track(Promise.resolve(RUNNING))
    await underWay.idle(1)
    expect(underWay.count).toBe(1)
  })
})
