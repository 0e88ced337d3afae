import { expect, test } from 'vitest'
import { CLOSING, OPENING, pieceFrame } from './payloads.ts'
import { StreamCheck } from './stream-check.ts'

const FRAMES = [
  OPENING,
  ...[0, 1, 2].map((sequence) => pieceFrame({ sequence, receivedUs: 5_000, sentUs: 7_000 + sequence })),
  ...CLOSING,
]

function read(frames: readonly string[], pieceBytes = 1_000_000) {
  const times: number[] = []
  const check = new StreamCheck(3, ({ sentUs }) => times.push(sentUs))
  const bytes = Buffer.from(frames.join(''))
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    check.push(bytes.subarray(start, start + pieceBytes))
  }
  return { complete: check.isComplete(), byteClean: check.byteClean, problem: check.problem, times }
}

test.each([1, 7, 64, 1_000_000])(
  'StreamCheck takes the upstream’s own bytes in pieces of %i',
  (pieceBytes) => {
    expect(read(FRAMES, pieceBytes)).toEqual({
      complete: true,
      byteClean: true,
      problem: undefined,
      times: [7_000, 7_001, 7_002],
    })
  },
)

test('StreamCheck notices frames that say the same in other bytes', () => {
  const altered = FRAMES.map((frame) => frame.replace('"object"', '"provider":"x","object"'))
  expect(read(altered)).toMatchObject({ complete: true, byteClean: false })
})

test.each([
  ['a missing piece', FRAMES.filter((_, index) => index !== 2)],
  ['a piece twice', FRAMES.flatMap((frame, index) => (index === 2 ? [frame, frame] : [frame]))],
  ['an end without [DONE]', FRAMES.slice(0, -1)],
  ['bytes after the end', [...FRAMES, 'data: x']],
  ['another text', FRAMES.map((frame) => frame.replace('three open', 'four open'))],
  ['an error frame', [...FRAMES.slice(0, 3), 'data: {"error":{"message":"x"}}\n\n']],
])('StreamCheck finds %s', (_, frames) => {
  const { complete, problem } = read(frames)
  expect(complete).toBe(false)
  expect(problem).toBeTypeOf('string')
})
