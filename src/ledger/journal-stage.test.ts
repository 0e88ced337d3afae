import { expect, it } from 'vitest'
import type { Exchange } from '../pipeline/exchange.ts'
import { createJournalStage } from './journal-stage.ts'

const EXCHANGE = {} as Exchange

it('enter() refuses calls exactly while the journal has no room', () => {
  const journal = { hasRoom: true }
  const stage = createJournalStage(journal)
  expect(stage.enter?.(EXCHANGE)).toBeUndefined()
  journal.hasRoom = false
  expect(() => stage.enter?.(EXCHANGE)).toThrowError(
    expect.objectContaining({ code: 'storage_unavailable', retryAfterSeconds: 5 }),
  )
  journal.hasRoom = true
  expect(stage.enter?.(EXCHANGE)).toBeUndefined()
})
