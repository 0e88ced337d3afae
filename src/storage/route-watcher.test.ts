import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Database } from './database.ts'
import { watchRoutes } from './route-watcher.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('watchRoutes() asks once a second while notifications are interrupted, and tells only of changes', async () => {
  let state = '1 then'
  let isAway = false
  let lost = () => {}
  let found = () => {}
  const database = {
    async query() {
      if (isAway) throw new Error('away')
      return { rows: [{ state }], count: 1 }
    },
    async listen(_channel: string, _handler: unknown, onReconnect: () => void, onLost: () => void) {
      found = onReconnect
      lost = onLost
      return async () => {}
    },
  } as unknown as Database
  const heard: unknown[] = []
  const stop = await watchRoutes(database, (organizationId) => heard.push(organizationId))
  lost()
  lost()
  await vi.advanceTimersByTimeAsync(1000)
  expect(heard).toEqual([undefined])
  isAway = true
  await vi.advanceTimersByTimeAsync(2000)
  isAway = false
  await vi.advanceTimersByTimeAsync(2000)
  expect(heard).toHaveLength(1)
  state = '0 '
  await vi.advanceTimersByTimeAsync(2000)
  expect(heard).toHaveLength(2)
  found()
  expect(heard).toHaveLength(3)
  state = '5 now'
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard).toHaveLength(3)
  await stop()
})
