import { describe, expect, it } from 'vitest'
import { traitsOf } from '../provider-kind.ts'
import { anthropicKind } from './kind.ts'

function traits(model: string) {
  return traitsOf(anthropicKind, model)
}

describe('CLAUDE_TRAITS', () => {
  // Columns: sampling, thinking, how it is switched off, forced tools, structured outputs, system turns, no prefill.
  it.each([
    ['claude-fable-5-2', 'none', 'adaptive', 'never', 'never', true, true, true],
    ['claude-mythos-5-1', 'none', 'adaptive', 'never', 'never', true, true, true],
    ['claude-fable-5', 'none', 'adaptive', 'never', 'always', true, true, true],
    ['claude-opus-5-5', 'none', 'adaptive', 'never', 'never', true, true, true],
    ['claude-sonnet-5-5', 'none', 'adaptive', 'between_tools', 'never', true, true, true],
    ['claude-haiku-5-5', 'none', 'adaptive', 'disabled', 'always', true, true, true],
    ['claude-opus-5', 'none', 'adaptive', 'disabled', 'always', true, true, true],
    ['claude-opus-5-20260724', 'none', 'adaptive', 'disabled', 'always', true, true, true],
    ['claude-sonnet-5', 'none', 'adaptive', 'disabled', 'always', true, true, true],
    ['claude-opus-4-8', 'none', 'adaptive', 'omit', 'always', true, true, true],
    ['claude-opus-4-7', 'none', 'adaptive', 'omit', 'without-thinking', true, false, true],
    ['claude-mythos-preview', 'none', 'adaptive', 'never', 'without-thinking', true, false, true],
    ['claude-opus-4-6', 'one', 'either', 'omit', 'without-thinking', true, false, true],
    ['us.anthropic.claude-sonnet-4-6-v1:0', 'one', 'either', 'omit', 'without-thinking', true, false, true],
    ['claude-haiku-4-5-20251001', 'one', 'budget', 'omit', 'without-thinking', true, false, false],
    ['claude-sonnet-4-5', 'one', 'budget', 'omit', 'without-thinking', true, false, false],
    ['claude-opus-4-1-20250805', 'one', 'budget', 'omit', 'without-thinking', true, false, false],
    ['claude-opus-4-20250514', 'all', 'budget', 'omit', 'without-thinking', false, false, false],
    ['claude-sonnet-4-0', 'all', 'budget', 'omit', 'without-thinking', false, false, false],
    ['claude-sonnet-4@20250514', 'all', 'budget', 'omit', 'without-thinking', false, false, false],
    ['claude-3-7-sonnet-20250219', 'all', 'budget', 'omit', 'without-thinking', false, false, false],
    ['claude-3-5-haiku-20241022', 'all', undefined, 'omit', 'always', false, false, false],
    ['claude-3-opus-20240229', 'all', undefined, 'omit', 'always', false, false, false],
    ['claude-opus-9', 'none', 'adaptive', 'never', 'never', true, true, true],
  ])('knows %s', (model, sampling, thinking, off, forced, structured, system, refuses) => {
    const found = traits(model)
    expect([
      found.sampling,
      found.thinking,
      found.thinkingOff,
      found.forcedTools,
      found.structuredOutputs,
      found.systemTurns,
      found.refusesPrefill,
    ]).toEqual([sampling, thinking, off, forced, structured, system, refuses])
  })

  it('says nothing about models that are no Claude', () => {
    expect(traits('kimi-k3')).toEqual({ outputTokensDefault: 4096 })
  })
})
