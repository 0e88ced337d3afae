import { describe, expect, it } from 'vitest'
import type { ChatRequest } from '../../contract/chat.ts'
import { warned, write } from './fixtures/write-request.ts'

describe('toSampling()', () => {
  it.each([
    ['claude-3-5-haiku-20241022', { temperature: 0.5, topP: 0.5 }, { temperature: 0.5, top_p: 0.5 }, []],
    ['claude-sonnet-4-5', { temperature: 0.5, topP: 0.5 }, { temperature: 0.5 }, ['top_p']],
    ['claude-sonnet-4-5', { temperature: 1, topP: 0.5 }, { top_p: 0.5 }, []],
    ['claude-sonnet-4-5', { temperature: 1.4 }, {}, ['temperature']],
    ['claude-opus-4-8', { temperature: 0, topP: 0.5, topK: 3 }, {}, ['temperature', 'top_p', 'top_k']],
    ['claude-opus-4-8', { temperature: 1, topP: 1 }, {}, []],
    [
      'claude-sonnet-4-5',
      { temperature: 0.5, topP: 0.97, topK: 3, reasoning: { effort: 'low' } },
      { top_p: 0.97 },
      ['temperature', 'top_k'],
    ],
  ] satisfies [string, Partial<ChatRequest>, object, string[]][])(
    'sends to %s of %j only what it takes',
    (model, fields, sent, warnings) => {
      const wire = write(fields, model)
      const { temperature, top_p, top_k } = wire.body
      expect({ temperature, top_p, top_k }).toEqual(sent)
      expect(warned(wire)).toEqual(warnings)
    },
  )
})
