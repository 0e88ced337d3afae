import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CustomInputReader, unwrapCustomInput, wrapCustomInput } from './custom-input.ts'

/** Text with everything that JSON escapes. */
const input = fc.string({ unit: 'binary', maxLength: 80 })

test('unwrapCustomInput() gives back what wrapCustomInput() took', () => {
  fc.assert(
    fc.property(input, (text) => {
      expect(unwrapCustomInput(wrapCustomInput(text))).toBe(text)
    }),
  )
})

test.each([
  ['"bare"', 'bare'],
  ['*** Begin Patch', '*** Begin Patch'],
  ['{"patch":"x"}', '{"patch":"x"}'],
  ['', ''],
])('unwrapCustomInput() loses nothing of %j', (argumentsText, text) => {
  expect(unwrapCustomInput(argumentsText)).toBe(text)
})

function read(argumentsText: string, cuts: readonly number[]): { streamed: string; input: string } {
  const reader = new CustomInputReader()
  const edges = [0, ...cuts.toSorted((first, second) => first - second), argumentsText.length]
  const pieces = edges.slice(1).map((edge, index) => reader.push(argumentsText.slice(edges[index], edge)))
  const end = reader.finish(argumentsText)
  return { streamed: pieces.join('') + end.rest, input: end.input }
}

test('CustomInputReader.push() streams the text wherever the arguments were cut', () => {
  // Escapes of every kind, as models write them: some escape every character beyond ASCII.
  const escapeAll = (text: string) =>
    Array.from({ length: text.length }, (_, index) => text.charCodeAt(index).toString(16).padStart(4, '0'))
      .map((digits) => `\\u${digits}`)
      .join('')
  fc.assert(
    fc.property(input, fc.array(fc.nat(200)), fc.boolean(), (text, cuts, escaped) => {
      const argumentsText = escaped ? `{ "input" : "${escapeAll(text)}" }` : wrapCustomInput(text)
      const inside = cuts.map((cut) => cut % (argumentsText.length + 1))
      expect(read(argumentsText, inside)).toEqual({ streamed: text, input: text })
    }),
  )
})

test('CustomInputReader.push() does not wait for the end', () => {
  const reader = new CustomInputReader()
  expect([reader.push('{"inp'), reader.push('ut":"one\\'), reader.push('ntwo'), reader.push('"}')]).toEqual([
    '',
    'one',
    '\ntwo',
    '',
  ])
})

test('CustomInputReader.finish() keeps what came of cut arguments', () => {
  expect(read('{"input":"half of i', [])).toEqual({ streamed: 'half of i', input: 'half of i' })
})

test('CustomInputReader.finish() hands over arguments of another shape whole', () => {
  expect(read('{"patch":"x"}', [3])).toEqual({ streamed: '{"patch":"x"}', input: '{"patch":"x"}' })
})
