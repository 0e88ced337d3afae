import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from './secret.ts'

const TEXT = 'sk-very-secret-text'
const secret = new Secret(TEXT)

describe('Secret', () => {
  it('reveal() gives the text back', () => {
    expect(secret.reveal()).toBe(TEXT)
  })

  it.each([
    ['String()', String(secret)],
    ['a template', `key: ${secret}`],
    ['concatenation', `${'key: '}${secret}`],
    ['JSON.stringify()', JSON.stringify({ deep: [{ secret }] })],
    ['inspect()', inspect({ deep: { secret } }, { depth: 5, showHidden: true })],
    ['inspect() without the custom printer', inspect(secret, { customInspect: false, showHidden: true })],
    ['an error message', String(new Error(`bad key ${secret}`).stack)],
    ['structuredClone()', inspect(structuredClone(secret))],
    ['Object.entries()', JSON.stringify(Object.entries(secret))],
    ['a spread', JSON.stringify({ ...secret })],
  ])('Secret does not print in %s', (_where, printed) => {
    expect(printed).not.toContain(TEXT)
  })

  it('toString() says that something is hidden', () => {
    expect(String(secret)).toBe('[secret]')
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}')
  })
})
