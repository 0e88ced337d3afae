import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { createPriceBook } from '../ledger/prices.ts'
import type { AlertEvent } from './alert.ts'
import { createUnknownPrices, missingPriceOf } from './unknown-prices.ts'

const NOON = Date.UTC(2026, 10, 20, 12)
const found = { provider: 'openai', model: 'new', organizationId: 'acme', isRefused: false }

describe('missingPriceOf()', () => {
  it('knows the refusal of a price book', () => {
    const book = createPriceBook({
      overrides: {},
      unknown: 'refuse',
      ceiling: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
      now: () => NOON,
    })
    const query = { providerName: 'mine', pricesId: undefined, free: false, model: 'unheard/of' }
    let thrown: unknown
    try {
      book.priceOf(query)
    } catch (error) {
      thrown = error
    }
    expect(missingPriceOf(thrown as GatewayError)).toEqual({ provider: 'mine', model: 'unheard/of' })
  })

  it('takes no other error for one', () => {
    const error = new GatewayError('invalid_request', { message: 'x', param: 'model' })
    expect(missingPriceOf(error)).toBeUndefined()
    const detail = { providerName: 'a', model: 'b' }
    expect(
      missingPriceOf(new GatewayError('upstream_error', { message: 'x', param: 'model', detail })),
    ).toBeUndefined()
  })
})

describe('createUnknownPrices()', () => {
  it('tells of each model once a day', () => {
    let nowMs = NOON
    const events: AlertEvent[] = []
    const prices = createUnknownPrices(
      (event) => events.push(event),
      () => nowMs,
    )
    prices.note(found)
    prices.note({ ...found, organizationId: 'other' })
    prices.note({ ...found, model: 'newer', isRefused: true })
    nowMs += 12 * 3_600_000
    prices.note(found)
    expect(events.map(({ dedupeKey }) => dedupeKey)).toEqual([
      'unknown_price/openai/new/2026-11-20',
      'unknown_price/openai/newer/2026-11-20',
      'unknown_price/openai/new/2026-11-21',
    ])
    expect(events[0]).toMatchObject({
      kind: 'unknown_price',
      severity: 'medium',
      title: 'No price is known for openai/new: its calls are charged at the configured ceiling.',
      detail: { firstOrganizationId: 'acme', setting: 'prices.overrides."openai/new"' },
      endsAt: new Date(Date.UTC(2026, 10, 21)),
    })
    expect(events[1]?.title).toContain('refused')
  })

  it('remembers a bounded number of invented names', () => {
    let count = 0
    const prices = createUnknownPrices(
      () => count++,
      () => NOON,
    )
    for (let n = 0; n < 3000; n++) prices.note({ ...found, model: `m${n}` })
    expect(count).toBe(3000)
    prices.note({ ...found, model: 'm2999' })
    expect(count).toBe(3000)
    prices.note({ ...found, model: 'm0' })
    expect(count).toBe(3001)
  })
})
