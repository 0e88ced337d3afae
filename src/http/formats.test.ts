import { describe, expect, it } from 'vitest'
import { chatFormatOf, streamStyleOf } from './formats.ts'

describe('streamStyleOf()', () => {
  const heartbeatOf = (...asked: Parameters<typeof streamStyleOf>) => streamStyleOf(...asked).heartbeat

  it('keeps streams open by a comment, a ping event, or white space in an array', () => {
    expect(heartbeatOf(chatFormatOf('chat'), {}, false)).toBe(': ping\n\n')
    expect(heartbeatOf(chatFormatOf('messages'), {}, false)).toMatch(/^event: ping\n/)
    expect(heartbeatOf(chatFormatOf('gemini'), {}, false)).toBe(': ping\n\n')
    expect(heartbeatOf(chatFormatOf('gemini'), {}, true)).toBe('\n')
  })

  it('knows the client of Google that reads no comments', () => {
    const former = { 'x-goog-api-client': 'gl-node/24 genai-js/0.24.1' }
    const beat = heartbeatOf(chatFormatOf('gemini'), former, false)
    expect(JSON.parse(beat.replace(/^data: /, ''))).toMatchObject({
      candidates: [{ content: { parts: [{ text: '' }] } }],
    })
    expect(heartbeatOf(chatFormatOf('chat'), former, false)).toBe(': ping\n\n')
    const current = { 'x-goog-api-client': 'google-genai-sdk/3.1.0 gl-node/v24' }
    expect(heartbeatOf(chatFormatOf('gemini'), current, false)).toBe(': ping\n\n')
  })
})
