import { expect, it } from 'vitest'
import { requireRoom } from './journal-room.ts'

it('requireRoom() refuses exactly while the journal has no room', () => {
  requireRoom({ hasRoom: true })
  expect(() => requireRoom({ hasRoom: false })).toThrowError(
    expect.objectContaining({ code: 'storage_unavailable', retryAfterSeconds: 5 }),
  )
})
