import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Exchange } from '../pipeline/exchange.ts'
import { World } from './fixtures/admission-world.ts'
import { ORGANIZATION } from './policy.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 21) })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('admit()', () => {
  it('never lets used and held pass a limit, whatever calls come, wait, leave and end in whatever order', async () => {
    const calls = fc.record({
      bytes: fc.integer({ min: 1, max: 4000 }),
      cap: fc.option(fc.integer({ min: 1, max: 3000 }), { nil: undefined }),
      stream: fc.boolean(),
      user: fc.constantFrom('ann', 'bob'),
      /** Share of what it may write that it does write. */
      writes: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const step = fc.oneof(
      fc.record({ kind: fc.constant('call' as const), call: calls }),
      fc.record({ kind: fc.constant('end' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('leave' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 3000 }) }),
    )
    let admitted = 0
    let refusals = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
        fc.integer({ min: 1, max: 40_000_000 }),
        fc.integer({ min: 1, max: 20_000_000 }),
        fc.integer({ min: 1, max: 200_000 }),
        async (steps, whole, ofAnn, tokensPerHour) => {
          const world = new World()
          world.set(ORGANIZATION, { tokensPerHour }, { limitNanoUsd: whole })
          world.set({ scope: 'user', id: 'ann' }, { concurrentRequests: 5 }, { limitNanoUsd: ofAnn })
          const running: { exchange: Exchange; bytes: number; writes: number; cap: number | undefined }[] = []
          const waiting = new Set<AbortController>()
          const pending: Promise<void>[] = []
          let refused = 0
          const begin = (call: typeof calls extends fc.Arbitrary<infer Call> ? Call : never) => {
            const controller = new AbortController()
            const exchange = world.exchange({ ...call, signal: controller.signal })
            waiting.add(controller)
            const admitted = world
              .admit(exchange)
              .then(
                () => void running.push({ exchange, ...call }),
                () => {
                  refused++
                },
              )
              .finally(() => waiting.delete(controller))
            pending.push(admitted)
          }
          const end = (which: number) => {
            const [call] = running.splice(which % Math.max(1, running.length), 1)
            if (call === undefined) return
            const { exchange, bytes, writes, cap } = call
            const held = exchange.allowance
            // A stream that is given less ends there, as a whole answer does.
            const most = Math.min(
              held?.outputTokensMax ?? Number.POSITIVE_INFINITY,
              cap ?? 32_768,
              call.exchange.incoming.stream ? heldOutput(exchange) : Number.POSITIVE_INFINITY,
            )
            world.settle(exchange, Math.floor(bytes * 0.4), Math.floor(most * writes))
          }
          for (const each of steps) {
            if (each.kind === 'call') begin(each.call)
            else if (each.kind === 'end') end(each.which)
            else if (each.kind === 'leave')
              [...waiting][each.which % Math.max(1, waiting.size)]?.abort(new Error('left'))
            else await vi.advanceTimersByTimeAsync(each.ms)
            await vi.advanceTimersByTimeAsync(0)
            world.check()
          }
          while (running.length > 0 || waiting.size > 0) {
            end(0)
            await vi.advanceTimersByTimeAsync(running.length > 0 ? 0 : 1000)
            world.check()
          }
          await Promise.all(pending)
          const budget = world.states().find(({ id }) => id === 'organization/budget')
          expect(budget).toMatchObject({ used: world.spent, held: 0 })
          admitted += pending.length - refused
          refusals += refused
          world.admission.close()
        },
      ),
      { numRuns: 500 },
    )
    // A property that is only ever refused, or only ever let in, says nothing.
    expect([admitted > 2000, refusals > 500]).toEqual([true, true])
  })
})

function heldOutput(exchange: Exchange): number {
  return (exchange.allowance as unknown as { outputTokens: number } | undefined)?.outputTokens ?? 0
}
