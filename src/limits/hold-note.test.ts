import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromNote, type HoldNote, NOTE_BYTES_MAX, toNote } from './hold-note.ts'

const NOTE: HoldNote = {
  attemptId: '0199-a',
  attempt: 1,
  teamId: null,
  keyId: 'K1',
  userId: 'anna',
  sessionId: null,
  tags: { deal: 'D-17' },
  provider: 'openai',
  model: 'gpt-4o',
  operation: 'chat',
  task: null,
  format: 'chat',
  stream: true,
  requestedModel: 'chat',
  tokensInput: 12,
  costInputNanoUsd: 30_000,
  priceVersion: '2026-02-01',
  receivedAtMs: 1_770_000_000_000,
}

const anyText = fc.string({ unit: 'binary', maxLength: 3000 })
const anyNote = fc.record({
  attemptId: fc.uuid(),
  attempt: fc.nat(),
  teamId: fc.option(fc.uuid()),
  keyId: fc.option(fc.uuid()),
  userId: fc.option(anyText),
  sessionId: fc.option(anyText),
  tags: fc.dictionary(fc.string({ maxLength: 64 }), anyText, { maxKeys: 20 }),
  provider: fc.string({ maxLength: 64 }),
  model: anyText,
  operation: fc.constantFrom('chat', 'embeddings'),
  task: fc.option(anyText),
  format: fc.constantFrom('chat', 'messages'),
  stream: fc.boolean(),
  requestedModel: fc.option(anyText),
  tokensInput: fc.maxSafeNat(),
  costInputNanoUsd: fc.maxSafeNat(),
  priceVersion: fc.option(fc.string({ maxLength: 64 })),
  receivedAtMs: fc.nat({ max: 8_640_000_000_000_000 }),
})

describe('toNote()', () => {
  it('is read again by fromNote() as it was', () => {
    expect(fromNote(toNote(NOTE))).toEqual(NOTE)
  })

  it('fits whatever callers name, and what the bill needs is always in it', () => {
    fc.assert(
      fc.property(anyNote, (note) => {
        const text = toNote(note)
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(NOTE_BYTES_MAX)
        const read = fromNote(text)
        const { attemptId, keyId, teamId, provider, tokensInput, costInputNanoUsd, receivedAtMs } = note
        expect(read).toMatchObject({
          attemptId,
          keyId,
          teamId,
          provider,
          tokensInput,
          costInputNanoUsd,
          receivedAtMs,
        })
        if (Buffer.byteLength(JSON.stringify(Object.values(note))) < NOTE_BYTES_MAX - 8)
          expect(read).toEqual(note)
      }),
    )
  })

  it('cuts the longest tags away first, then what else callers name', () => {
    const tagged = fromNote(toNote({ ...NOTE, tags: { long: 'x'.repeat(5000), deal: 'D-17' } }))
    expect(tagged).toEqual(NOTE)
    const named = fromNote(toNote({ ...NOTE, userId: 'u'.repeat(100), sessionId: 's'.repeat(5000) }))
    expect(named).toEqual({ ...NOTE, tags: {}, sessionId: null, userId: 'u'.repeat(100) })
  })
})

describe('fromNote()', () => {
  it('makes nothing of rubbish, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.constant(undefined)), (text) => {
        expect(fromNote(text)).toBeUndefined()
      }),
    )
  })

  it('makes nothing of a note in which one field is not what it should be', () => {
    const parts = JSON.parse(toNote(NOTE)) as unknown[]
    for (let index = 0; index < parts.length; index++) {
      const spoiled = parts.with(index, index === 0 ? 2 : { not: 1 })
      expect(fromNote(JSON.stringify(spoiled)), `field ${index}`).toBeUndefined()
    }
    expect(fromNote(JSON.stringify(parts.slice(0, -1)))).toBeUndefined()
    expect(fromNote(JSON.stringify([...parts, null]))).toBeUndefined()
    expect(fromNote(JSON.stringify(parts.with(-1, 8.7e15)))).toBeUndefined()
  })
})
