import { describe, expect, it } from 'vitest'
import { endOf, isOver, type ReadUsage, requestOf, toHeld, WorkSum, workOfBatch } from './batch-work.ts'
import { batch } from './fixtures/batch.ts'

const readUsage: ReadUsage = (body) => {
  const usage = (body as { usage?: { input: number; output: number } }).usage
  return {
    usage: usage === undefined ? {} : { inputTokens: usage.input, outputTokens: usage.output },
    units: {},
  }
}

function line(model: string, usage?: { input: number; output: number }, status = 200): string {
  return JSON.stringify({ response: { status_code: status, body: { model, usage } } })
}

describe('WorkSum', () => {
  it('adds up what each model did, without the requests that failed', () => {
    const sum = new WorkSum(readUsage, '')
    sum.add(line('a', { input: 1, output: 2 }))
    sum.add(line('b', { input: 10, output: 20 }))
    sum.add(line('a', { input: 100, output: 200 }))
    sum.add(line('a', { input: 5, output: 5 }, 500))
    sum.add('')
    sum.add('no json')
    sum.add('{"response":null}')
    expect(sum.work()).toEqual([
      { model: 'a', usage: { inputTokens: 101, outputTokens: 202 }, units: {}, estimated: false },
      { model: 'b', usage: { inputTokens: 10, outputTokens: 20 }, units: {}, estimated: false },
    ])
  })

  it('counts by itself, and says so, where a reply says nothing', () => {
    const sum = new WorkSum(readUsage, '')
    const silent = line('a')
    sum.add(silent)
    expect(sum.work()).toEqual([
      {
        model: 'a',
        usage: { inputTokens: 0, outputTokens: Math.ceil(silent.length / 4) },
        units: {},
        estimated: true,
      },
    ])
  })

  it('stays bounded whatever names a file holds, and loses no token', () => {
    const sum = new WorkSum(readUsage, '')
    for (let i = 0; i < 500; i++) sum.add(line(`m${i}`, { input: 1, output: 1 }))
    expect(sum.work()).toHaveLength(100)
    expect(sum.work().reduce((total, { usage }) => total + (usage.inputTokens ?? 0), 0)).toBe(500)
  })
})

describe('workOfBatch()', () => {
  it('takes what the batch says, and not zeros, which only mean that it does not know', () => {
    expect(workOfBatch({ model: 'a', usage: { input: 3, output: 4 } }, readUsage)).toEqual([
      { model: 'a', usage: { inputTokens: 3, outputTokens: 4 }, units: {}, estimated: false },
    ])
    expect(workOfBatch({ model: 'a', usage: { input: 0, output: 0 } }, readUsage)).toBeUndefined()
    expect(workOfBatch({ usage: { input: 3, output: 4 } }, readUsage)).toBeUndefined()
    expect(workOfBatch({ model: 'a' }, readUsage)).toBeUndefined()
  })
})

describe('isOver()', () => {
  it('is true once nothing more is charged, also after a cancellation', () => {
    for (const status of ['completed', 'failed', 'expired', 'cancelled'])
      expect(isOver({ status })).toBe(true)
    for (const status of ['validating', 'in_progress', 'finalizing', 'cancelling', undefined])
      expect(isOver({ status })).toBe(false)
  })
})

describe('endOf()', () => {
  it('is the moment that the provider names, else the one given', () => {
    const fallback = new Date(5)
    expect(endOf({ completed_at: 10, cancelled_at: 20 }, fallback)).toEqual(new Date(10_000))
    expect(endOf({ completed_at: null, expired_at: 20 }, fallback)).toEqual(new Date(20_000))
    expect(endOf({}, fallback)).toBe(fallback)
  })
})

describe('requestOf()', () => {
  it('is the body of a line, and undefined where it has none', () => {
    expect(requestOf('{"body":{"model":"gpt-4o"}}')).toEqual({ model: 'gpt-4o' })
    for (const text of ['', 'x', '{}', '{"body":7}', '[]']) expect(requestOf(text)).toBeUndefined()
  })
})

describe('toHeld()', () => {
  it('names the work of a batch after the call that made it', () => {
    expect(toHeld(batch()).workId).toBe('req_1.batch')
  })
})
