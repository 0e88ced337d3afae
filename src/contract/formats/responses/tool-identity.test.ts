import fc from 'fast-check'
import { expect, test } from 'vitest'
import { neutralToolName } from './tool-identity.ts'

test('neutralToolName() leaves a name without namespace as it is', () => {
  expect(neutralToolName(undefined, 'get.weather')).toBe('get.weather')
})

test('neutralToolName() joins namespace and name', () => {
  expect(neutralToolName('mcp__files', 'read')).toBe('mcp__files__read')
  expect(neutralToolName('mcp__files__', 'read')).toBe('mcp__files__read')
})

test('neutralToolName() always fits what providers accept, and is the same each time', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 90 }),
      fc.string({ maxLength: 90 }),
      (namespace, name) => {
        expect(neutralToolName(namespace, name)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
        expect(neutralToolName(namespace, name)).toBe(neutralToolName(namespace, name))
      },
    ),
  )
})

test('neutralToolName() keeps long names with the same beginning apart', () => {
  const long = 'x'.repeat(70)
  expect(neutralToolName(long, 'one')).not.toBe(neutralToolName(long, 'two'))
})
