import { describe, expect, it } from 'vitest'
import type { ChatRequest, Message } from '../../contract/chat.ts'
import { call, FORCED, USER, warned, write } from './fixtures/write-request.ts'

describe('planThinking()', () => {
  const budget = (tokens: number) => ({ thinking: { type: 'enabled', budget_tokens: tokens } })
  it.each([
    ['claude-sonnet-4-5', { effort: 'low' }, undefined, { ...budget(2048), max_tokens: 18_432 }, []],
    ['claude-sonnet-4-5', { effort: 'high' }, 4000, { ...budget(3000) }, ['reasoning_effort']],
    ['claude-sonnet-4-5', { effort: 'high' }, 500, {}, ['reasoning_effort']],
    ['claude-sonnet-4-5', { budgetTokens: 5000 }, 9000, budget(5000), []],
    ['claude-sonnet-4-5', { effort: 'none' }, undefined, {}, []],
    ['claude-3-5-haiku-20241022', { effort: 'high' }, 4000, {}, ['reasoning_effort']],
    [
      'claude-opus-4-6',
      { effort: 'high' },
      undefined,
      { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
      [],
    ],
    ['claude-opus-4-6', { budgetTokens: 5000 }, 9000, budget(5000), []],
    [
      'claude-opus-4-6',
      { effort: 'xhigh' },
      undefined,
      { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } },
      ['reasoning_effort'],
    ],
    [
      'claude-opus-5-5',
      { effort: 'minimal', summary: 'auto' },
      undefined,
      { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'low' } },
      ['reasoning_effort'],
    ],
    [
      'claude-opus-5-5',
      { budgetTokens: 8000 },
      9000,
      { thinking: { type: 'adaptive' }, output_config: { effort: 'medium' } },
      ['thinking.budget_tokens'],
    ],
    [
      'claude-opus-5-5',
      { effort: 'none' },
      undefined,
      { output_config: { effort: 'low' } },
      ['reasoning_effort'],
    ],
    ['claude-sonnet-5-5', { effort: 'none' }, undefined, { thinking: { type: 'between_tools' } }, []],
    ['claude-opus-5', { budgetTokens: 0 }, undefined, { thinking: { type: 'disabled' } }, []],
    ['claude-opus-5', {}, undefined, { thinking: { type: 'adaptive' } }, []],
  ] satisfies [string, ChatRequest['reasoning'], number | undefined, object, string[]][])(
    'tells %s to think %j within %s tokens',
    (model, reasoning, outputTokensMax, sent, warnings) => {
      const wire = write({ reasoning, outputTokensMax }, model)
      const { thinking, output_config } = wire.body
      expect({ thinking, output_config, max_tokens: wire.body.max_tokens }).toEqual({
        max_tokens: outputTokensMax ?? 16_384,
        ...sent,
      })
      expect(warned(wire)).toEqual(warnings)
    },
  )

  it('does not think while a tool is forced, where the model cannot', () => {
    const wire = write({ ...FORCED, reasoning: { effort: 'low' } })
    expect(wire.body.thinking).toBeUndefined()
    expect(warned(wire)).toEqual(['reasoning_effort'])
  })

  it('does not think where the thought before the last call is gone', () => {
    const messages: Message[] = [
      USER,
      { role: 'assistant', content: [call('a')] },
      { role: 'tool', content: [{ type: 'tool-result', callId: 'a', content: [] }] },
    ]
    const wire = write({ messages, reasoning: { effort: 'low' } })
    expect(wire.body.thinking).toBeUndefined()
    expect(warned(wire)).toEqual(['reasoning_effort'])
    // Adaptive thinking has no such condition.
    expect(write({ messages, reasoning: { effort: 'low' } }, 'claude-opus-4-6').warnings).toEqual([])
  })
})
