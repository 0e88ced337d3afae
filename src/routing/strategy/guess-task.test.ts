import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TASKS } from '../../contract/task.ts'
import { guessTask } from './guess-task.ts'

describe('guessTask()', () => {
  it.each([
    ['Translate the following to French: good morning', 'translation'],
    ['Traduis ce contrat en anglais, s’il te plaît', 'translation'],
    ['Übersetze den folgenden Text ins Deutsche.', 'translation'],
    ['Please summarize this meeting in five points', 'summarization'],
    ['TL;DR this thread? tldr', 'summarization'],
    ['Classify this ticket as billing, technical or other', 'classification'],
    ['Extract all names and dates from this letter', 'extraction'],
    ['Verify that the totals in this table add up', 'validation'],
    ['Compare both offers and tell me which is better', 'analysis'],
    ['Write an essay about the harbour of Trieste', 'synthesis'],
    ['Refactor this function so that it has no side effects', 'code'],
    ['It fails:\n```\nTypeError: x is not a function\n```', 'code'],
    ['Write a python function that adds two numbers', 'code'],
    ['Why does this fail?\n```\nlet x = \n```', 'code'],
    ['Summarize this article about code', 'summarization'],
    ['Why is the sky blue?', 'chat'],
    ['Hi', 'chat'],
    ['What is the capital of Peru?', 'chat'],
    ['こんにちは、元気ですか', 'chat'],
    ['', 'chat'],
  ])('takes %j for %s', (text, task) => {
    expect(guessTask(text).task).toBe(task)
  })

  it('goes by the order at the beginning, not by what the text is about', () => {
    const text = `Summarize this: ${'a report on how to compile code and debug a function. '.repeat(20)}`
    expect(guessTask(text)).toMatchObject({ task: 'summarization', because: 'the word "summarize"' })
    expect(guessTask('Translate the comments in ```code```').task).toBe('translation')
  })

  it('says by what it goes', () => {
    expect(guessTask('```x```').because).toBe('a fenced block of code')
    expect(guessTask('Hi').because).toContain('nothing')
  })

  it('answers any text with a task, in time that grows with its length', () => {
    fc.assert(fc.property(fc.string({ maxLength: 4000 }), (text) => TASKS.includes(guessTask(text).task)))
    expect(guessTask('a'.repeat(1_000_000)).task).toBe('chat')
    expect(guessTask('summarize '.repeat(100_000)).task).toBe('summarization')
  })
})
