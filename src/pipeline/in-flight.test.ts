import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { makeClock, makeExchange } from './fixtures/make-exchange.ts'
import { createInFlight } from './in-flight.ts'
import type { Reply } from './reply.ts'
import { run } from './run.ts'

const REPLY: Reply = { kind: 'token-count', status: 200, headers: {}, inputTokens: 1 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('createInFlight()', () => {
  it('counts a call from its beginning until it is settled, however it ends', async () => {
    const calls = createInFlight()
    const start = (call: () => Promise<Reply>) => {
      calls.begin()
      return run(makeExchange(), [calls.stage], call, { clock: makeClock(), onSettleError: () => undefined })
    }
    const running = await start(async () => REPLY)
    expect(calls.count).toBe(1)
    const refused = start(async () => {
      throw new GatewayError('upstream_error', { message: 'no' })
    })
    await expect(refused).rejects.toThrow('no')
    expect(calls.count).toBe(1)
    await running.end('cancelled')
    await running.end('completed')
    expect(calls.count).toBe(0)
  })

  it('tells when the last is over, and does not wait for ever', async () => {
    const calls = createInFlight()
    expect(await calls.idle(1000)).toBe(true)
    calls.begin()
    calls.begin()
    const settle = () => calls.stage.settle?.(makeExchange(), {} as never)
    const told: boolean[] = []
    const first = calls.idle(1000).then((idle) => told.push(idle))
    settle()
    await vi.advanceTimersByTimeAsync(999)
    expect(told).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await first
    expect(told).toEqual([false])
    const second = calls.idle(1000).then((idle) => told.push(idle))
    settle()
    await second
    expect(told).toEqual([false, true])
    expect(vi.getTimerCount()).toBe(0)
  })
})
