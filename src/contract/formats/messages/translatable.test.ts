import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../core/errors.ts'
import { parseMessagesRequest } from './parse-request.ts'
import { assertTranslatable } from './translatable.ts'

const BASE = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

describe('assertTranslatable()', () => {
  it.each([
    [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0]', 'web_search_20250305'],
    [{ tools: [{ type: 'bash_20250124', name: 'bash' }] }, 'tools[0]', 'bash_20250124'],
    [{ container: 'c_1' }, 'container', 'container'],
    [
      { messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: 'f' }] }] },
      'messages[0].content',
      'container_upload',
    ],
    [
      {
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 't',
                content: [{ type: 'tool_reference', tool_name: 'f' }],
              },
            ],
          },
        ],
      },
      'messages[0].content[0].content[0]',
      'tool_reference',
    ],
  ])('refuses %j', (fields, param, word) => {
    const request = parseMessagesRequest({ ...BASE, ...fields })
    expect(() => assertTranslatable(request)).toThrow(
      expect.objectContaining({ code: 'unsupported_feature', param, message: expect.stringContaining(word) }),
    )
    expect(() => assertTranslatable(request)).toThrow(GatewayError)
  })

  it('lets pass what may be left out with a warning', () => {
    const request = parseMessagesRequest({
      ...BASE,
      service_tier: 'auto',
      tools: [{ name: 'f', input_schema: {}, defer_loading: true }],
    })
    expect(() => assertTranslatable(request)).not.toThrow()
  })
})
