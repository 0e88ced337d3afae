import { describe, expect, it } from 'vitest'
import { findReferences, mayHoldReferences } from './references.ts'

function look(body: unknown) {
  return mayHoldReferences(Buffer.from(JSON.stringify(body))) ? findReferences(body) : []
}

describe('findReferences()', () => {
  it.each([
    [
      { input: [{ content: [{ type: 'input_file', file_id: 'f1' }] }] },
      'file',
      'f1',
      'input[0].content[0].file_id',
    ],
    [
      { messages: [{ content: [{ type: 'file', file: { file_id: 'f2' } }] }] },
      'file',
      'f2',
      'messages[0].content[0].file.file_id',
    ],
    [{ previous_response_id: 'r1' }, 'state', 'r1', 'previous_response_id'],
    [{ conversation: { id: 'c1' } }, 'state', 'c1', 'conversation'],
    [
      { tools: [{ type: 'file_search', vector_store_ids: ['v1'] }] },
      'state',
      'v1',
      'tools[0].vector_store_ids',
    ],
    [{ cachedContent: 'cachedContents/x' }, 'state', 'cachedContents/x', 'cachedContent'],
    [
      {
        contents: [
          { parts: [{ fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x' } }] },
        ],
      },
      'state',
      'https://generativelanguage.googleapis.com/v1beta/files/x',
      'contents[0].parts[0].fileData.fileUri',
    ],
  ])('finds what %j names', (body, kind, id, path) => {
    expect(look(body)).toEqual([{ kind, id, path }])
  })

  it('sees names that are written with escapes', () => {
    const text = '{"previous\\u005fresponse_id":"r1"}'
    expect(mayHoldReferences(Buffer.from(text))).toBe(true)
    expect(findReferences(JSON.parse(text))).toHaveLength(1)
  })

  it('leaves calls alone that name nothing', () => {
    const body = {
      previous_response_id: null,
      messages: [{ content: 'the file_id of my file' }],
      fileUri: 'https://example.org/files/x',
    }
    expect(look(body)).toEqual([])
    expect(mayHoldReferences(Buffer.from('{"messages":[{"content":"a file_id"}]}'))).toBe(false)
  })
})
