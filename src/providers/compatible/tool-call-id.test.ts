import { describe, expect, it } from 'vitest'
import { toolCallId } from './tool-call-id.ts'

describe('toolCallId()', () => {
  it('toolCallId() leaves an id alone that fits', () => {
    expect(toolCallId('call_1', {})).toBe('call_1')
    expect(toolCallId('aB3dE6gH9', { toolCallIdLength: 9 })).toBe('aB3dE6gH9')
    expect(toolCallId('a'.repeat(40), { toolCallIdLengthMax: 40 })).toBe('a'.repeat(40))
  })

  it('toolCallId() makes the same new id of the same old one, and different ones of different', () => {
    const ids = Array.from({ length: 1000 }, (_, index) =>
      toolCallId(`call_${index}`, { toolCallIdLength: 9 }),
    )
    expect(new Set(ids).size).toBe(1000)
    expect(ids.every((id) => /^[A-Za-z0-9]{9}$/.test(id))).toBe(true)
    expect(toolCallId('call_7', { toolCallIdLength: 9 })).toBe(ids[7])
  })

  it('toolCallId() shortens what is too long', () => {
    const long = toolCallId('a'.repeat(64), { toolCallIdLengthMax: 40 })
    expect(long.length).toBeLessThanOrEqual(40)
    expect(long).not.toBe(toolCallId('b'.repeat(64), { toolCallIdLengthMax: 40 }))
  })
})
