import { describe, expect, it } from 'vitest'
import { createSettling } from './settling.ts'

function open(present: string | undefined) {
  let nowMs = 1000
  const waits: number[] = []
  const settled = createSettling({
    settlingMs: 3000,
    present,
    monotonicMs: () => nowMs,
    wait: async (ms) => void waits.push(ms),
  })
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { settled, waits, pass }
}

describe('createSettling()', () => {
  it('has nobody wait under the generation that was there already', async () => {
    const { settled, waits } = open('first')
    await settled('first')
    expect(waits).toEqual([])
  })

  it('has whoever comes under another one wait for the rest of the time', async () => {
    const { settled, waits, pass } = open('first')
    await settled('second')
    pass(1000)
    await settled('second')
    pass(2000)
    await settled('second')
    await settled('third')
    expect(waits).toEqual([3000, 2000, 3000])
  })

  it('takes a generation for a new one where none was known', async () => {
    const { settled, waits } = open(undefined)
    await settled('first')
    expect(waits).toEqual([3000])
  })
})
