import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ProviderGate } from './provider-gate.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const { signal } = new AbortController()

describe('ProviderGate', () => {
  it('lets in as many as it may, and the others in the order of their coming', async () => {
    const gate = new ProviderGate('p', 2)
    const leave = await gate.enter(signal)
    await gate.enter(signal)
    const entered: number[] = []
    const third = Promise.resolve(gate.enter(signal)).then((next) => {
      entered.push(3)
      return next
    })
    const fourth = Promise.resolve(gate.enter(signal)).then(() => entered.push(4))
    leave()
    leave()
    const leaveThird = await third
    expect([entered, gate.count]).toEqual([[3], 2])
    leaveThird()
    await fourth
    expect([entered, gate.count]).toEqual([[3, 4], 2])
  })

  it('sends a call elsewhere where nobody leaves in time', async () => {
    const gate = new ProviderGate('p', 1)
    await gate.enter(signal)
    const waiting = Promise.resolve(gate.enter(signal))
    const refused = expect(waiting).rejects.toMatchObject({ code: 'overloaded' })
    await vi.advanceTimersByTimeAsync(1000)
    await refused
    expect(gate.count).toBe(1)
  })

  it('does not let a second call wait where one may be inside', async () => {
    const gate = new ProviderGate('p', 1)
    await gate.enter(signal)
    const first = Promise.resolve(gate.enter(signal))
    expect(() => gate.enter(signal)).toThrow(/as many calls under way/)
    const refused = expect(first).rejects.toMatchObject({ code: 'overloaded' })
    await vi.advanceTimersByTimeAsync(1000)
    await refused
  })

  it('forgets a caller who leaves the queue', async () => {
    const gate = new ProviderGate('p', 1)
    const leave = await gate.enter(signal)
    const controller = new AbortController()
    const waiting = Promise.resolve(gate.enter(controller.signal))
    const left = expect(waiting).rejects.toThrow('gone')
    controller.abort(new Error('gone'))
    await left
    leave()
    expect(gate.count).toBe(0)
    await gate.enter(signal)
    expect(gate.count).toBe(1)
  })
})
