import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PriceChange } from '../ledger/price-desk/ports.ts'
import type { Database } from './database.ts'
import { watchPrices } from './price-watcher.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A database whose notifications a test makes, and whose answers it sets. */
async function watch() {
  const changes: PriceChange[] = []
  const query = vi.fn(async (_sql: string, _parameters: readonly unknown[]) => ({
    rows: [] as object[],
    count: 0,
  }))
  let hooks = { notify: (_payload: string) => {}, reconnect: () => {}, lose: () => {} }
  const database = {
    query,
    async listen(
      _channel: string,
      notify: (payload: string) => void,
      reconnect: () => void,
      lose: () => void,
    ) {
      hooks = { notify, reconnect, lose }
      return async () => {}
    },
  } as unknown as Database
  const stop = await watchPrices(database, (change) => changes.push(change))
  return { changes, query, stop, ...hooks }
}

describe('watchPrices()', () => {
  it('says whose prices, the data, or everything where it does not understand', async () => {
    const { changes, notify } = await watch()
    for (const payload of ['organization:a:b', 'data', '*', 'new in a later version']) notify(payload)
    expect(changes).toEqual([{ organizationId: 'a:b' }, 'data', 'all', 'all'])
  })

  it('asks once a second while notifications are interrupted, and for all once they are back', async () => {
    const { changes, query, lose, reconnect } = await watch()
    lose()
    lose()
    query.mockResolvedValueOnce({ rows: [{ change: 'data' }, { change: 'organization:a' }], count: 2 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(changes).toEqual(['data', { organizationId: 'a' }])
    query.mockRejectedValueOnce(new Error('away'))
    await vi.advanceTimersByTimeAsync(2000)
    expect(query).toHaveBeenCalledTimes(3)
    reconnect()
    await vi.advanceTimersByTimeAsync(5000)
    expect(query).toHaveBeenCalledTimes(3)
    expect(changes.at(-1)).toBe('all')
  })

  it('reads everything again where too much has changed', async () => {
    const { changes, query, lose } = await watch()
    const rows = Array.from({ length: 1001 }, (_, n) => ({ change: `organization:${n}` }))
    query.mockResolvedValueOnce({ rows, count: rows.length })
    lose()
    await vi.advanceTimersByTimeAsync(1000)
    expect(changes).toEqual(['all'])
  })

  it('says nothing once it is stopped', async () => {
    const { changes, query, lose, notify, stop } = await watch()
    lose()
    await stop()
    notify('data')
    await vi.advanceTimersByTimeAsync(3000)
    expect(changes).toEqual([])
    expect(query).not.toHaveBeenCalled()
  })
})
