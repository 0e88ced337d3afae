import { describe, expect, it, vi } from 'vitest'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import type { ReplyEvents } from '../pipeline/reply.ts'
import type { Admission, QuoteOf } from './admission.ts'
import { createAdmitStage } from './admit-stage.ts'

const QUOTE: QuoteOf = () => ({ quote: { costOf: () => 0 }, priceVersion: 'v', unitsNanoUsd: 0 })

function admission(changes: Partial<Admission> = {}): Admission {
  return {
    admit: () => undefined,
    cover: () => undefined,
    relay: (events) => events,
    settle: () => {},
    keepAlive: () => false,
    close: () => {},
    ...changes,
  }
}

describe('createAdmitStage()', () => {
  it('lets a call in at once where nothing has to be waited for', () => {
    const admit = vi.fn(() => undefined)
    const stage = createAdmitStage(admission({ admit }), QUOTE)
    const exchange = makeExchange()
    expect(stage.name).toBe('admit')
    expect(stage.enter?.(exchange)).toBeUndefined()
    expect(admit.mock.calls).toEqual([[exchange, QUOTE]])
  })

  it('answers nothing itself after a wait', async () => {
    const admit = () => Promise.resolve('anything' as unknown as undefined)
    await expect(
      createAdmitStage(admission({ admit }), QUOTE).enter?.(makeExchange()),
    ).resolves.toBeUndefined()
  })

  it('refuses what is refused', async () => {
    const stage = createAdmitStage(admission({ admit: () => Promise.reject(new Error('full')) }), QUOTE)
    await expect(stage.enter?.(makeExchange())).rejects.toThrow('full')
  })

  it('lets the hold grow with the answer', () => {
    const grown = {} as ReplyEvents
    const relay = vi.fn(() => grown)
    const events = {} as ReplyEvents
    const exchange = makeExchange()
    expect(createAdmitStage(admission({ relay }), QUOTE).relay?.(events, exchange)).toBe(grown)
    expect(relay.mock.calls).toEqual([[events, exchange]])
  })
})
