import { describe, expect, it } from 'vitest'
import type { ChatRequest } from '../../chat.ts'
import { estimateInput } from './estimate-input.ts'

const EMPTY: ChatRequest = { model: 'm', messages: [], stream: true, includeUsage: true, unmapped: [] }

describe('estimateInput()', () => {
  it('is nothing for nothing', () => {
    expect(estimateInput(EMPTY)).toBe(0)
  })

  it('grows with every text, wherever it stands', () => {
    const text = { type: 'text' as const, text: 'x'.repeat(350) }
    const call = { type: 'tool-call' as const, id: 'a', name: 'f', arguments: 'y'.repeat(349) }
    const result = { type: 'tool-result' as const, callId: 'a', content: [text] }
    const request: ChatRequest = {
      ...EMPTY,
      messages: [
        { role: 'system', content: [text] },
        { role: 'assistant', content: [call] },
        { role: 'tool', content: [result] },
      ],
      tools: [{ name: 'f', description: 'z'.repeat(347), parameters: {} }],
    }
    expect(estimateInput(request)).toBe(400)
  })

  it('does not take the bytes of an image for text', () => {
    const source = { kind: 'base64' as const, mediaType: 'image/png', data: 'A'.repeat(1_000_000) }
    const request: ChatRequest = {
      ...EMPTY,
      messages: [{ role: 'user', content: [{ type: 'image', source }] }],
    }
    expect(estimateInput(request)).toBe(1600)
  })
})
