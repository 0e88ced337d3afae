import { expect, test } from 'vitest'
import { needsResponses, thinks } from './models.ts'

test.each([
  'o1-pro',
  'o1-pro-2025-03-19',
  'o3-pro',
  'o3-deep-research',
  'o4-mini-deep-research-2025-06-26',
  'computer-use-preview',
  'codex-mini-latest',
  'gpt-5-pro',
  'gpt-5-codex',
  'gpt-5.1-codex-max',
  'gpt-5.1-codex-mini',
  'gpt-5.5-pro-2026-04-23',
  'gpt-6-cyber',
  'openai/o3-pro',
])('needsResponses() is true for %s', (model) => {
  expect(needsResponses(model)).toBe(true)
})

test.each([
  'gpt-4o',
  'gpt-5',
  'gpt-5-mini',
  'o3',
  'o3-mini',
  'o4-mini',
  'gpt-5-chat-latest',
  'prometheus',
  '',
])('needsResponses() is false for %s', (model) => {
  expect(needsResponses(model)).toBe(false)
})

test('thinks() tells models that think from those that do not', () => {
  expect(['o3-pro', 'gpt-5-pro', 'gpt-5.1', 'codex-mini-latest'].every(thinks)).toBe(true)
  expect(['gpt-4o', 'gpt-5-chat-latest', 'computer-use-preview'].some(thinks)).toBe(false)
})
