import { describe, expect, it } from 'vitest'
import { DoneOnce } from './counters-once.ts'

const DAY_MS = 86_400_000

describe('DoneOnce', () => {
  it('add() says once in a day that something has not been done', () => {
    const done = new DoneOnce()
    expect(done.add('a', 0)).toBe(true)
    expect(done.add('a', DAY_MS - 1)).toBe(false)
    expect(done.add('a', DAY_MS)).toBe(true)
    expect(done.add('b', DAY_MS)).toBe(true)
  })

  it('add() forgets what is over, and keeps no more than 200,000', () => {
    const done = new DoneOnce()
    for (let index = 0; index < 200_010; index++) done.add(`${index}`, index)
    expect(done.size).toBe(200_000)
    expect(done.add('200009', DAY_MS)).toBe(false)
    expect(done.add('0', DAY_MS)).toBe(true)
    done.add('next', 2 * DAY_MS + 200_010)
    expect(done.size).toBe(1)
    done.clear()
    expect(done.add('next', 2 * DAY_MS + 200_010)).toBe(true)
  })
})
