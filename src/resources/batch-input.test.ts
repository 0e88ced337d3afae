import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { type BatchInputOptions, readBatchInput } from './batch-input.ts'
import { batch } from './fixtures/batch.ts'

const FILE = batch({ id: 'file-1', kind: 'file' })
const MEGABYTE = 1024 * 1024

/** Counts the lines that are read, and prices each at 10. */
function setUp(lines: Iterable<string>, change: Partial<BatchInputOptions> & { bytes?: unknown } = {}) {
  const seen = { lines: 0, models: [] as string[], sizes: 0, time: 0 }
  const estimate = {
    costNanoUsd: 0,
    add() {
      this.costNanoUsd += 10
    },
  }
  const options: BatchInputOptions = {
    objects: {
      async *readLines() {
        for (const line of lines) {
          seen.lines++
          yield line
        }
      },
      async readObject() {
        seen.sizes++
        return { bytes: change.bytes }
      },
    },
    file: FILE,
    checkModel: (model) => seen.models.push(model),
    estimate,
    clock: { now: () => 0, monotonicMs: () => seen.time },
    signal: new AbortController().signal,
    ...change,
  }
  return { seen, options }
}

function line(model: string): string {
  return JSON.stringify({ custom_id: 'a', body: { model } })
}

function* manyLines(count: number, length: number): Generator<string> {
  const text = `{"body":{"model":"m","input":"${'x'.repeat(length - 33)}"}}`
  for (let i = 0; i < count; i++) yield text
}

describe('readBatchInput()', () => {
  it('reads every line once, for its model and for what it may cost', async () => {
    const { seen, options } = setUp([line('a'), '', line('b'), 'no json', '{"body":{}}', ' '])
    expect(await readBatchInput(options)).toBe(30)
    expect(seen).toMatchObject({ lines: 6, models: ['a', 'b', '', ''], sizes: 0 })
  })

  it('costs nothing where nobody has to know', async () => {
    const { seen, options } = setUp([line('a')], { estimate: undefined })
    expect(await readBatchInput(options)).toBe(0)
    expect(seen.models).toEqual(['a'])
  })

  it('ends at a model that is refused', async () => {
    const { seen, options } = setUp([line('a'), line('b')], {
      checkModel: () => {
        throw new GatewayError('model_not_allowed', { message: 'no' })
      },
    })
    await expect(readBatchInput(options)).rejects.toMatchObject({ code: 'model_not_allowed' })
    expect(seen.lines).toBe(1)
  })

  it('takes the rest of a file to be like its first 64 MB, and reads no more of it', async () => {
    const { seen, options } = setUp(manyLines(150, MEGABYTE - 1), {
      checkModel: undefined,
      bytes: 150 * MEGABYTE,
    })
    expect(await readBatchInput(options)).toBe(1500)
    expect(seen).toMatchObject({ lines: 64, sizes: 1 })
  })

  it('looks for models to the end of the file all the same', async () => {
    const { seen, options } = setUp(manyLines(100, MEGABYTE - 1), { bytes: 100 * MEGABYTE })
    expect(await readBatchInput(options)).toBe(1000)
    expect(seen).toMatchObject({ lines: 100, sizes: 1 })
    expect(seen.models).toHaveLength(100)
  })

  it('does the same after half a minute', async () => {
    const text = line('a')
    const { seen, options } = setUp([text, text, text, text], {
      checkModel: undefined,
      bytes: 4 * (text.length + 1),
      clock: { now: () => 0, monotonicMs: () => seen.lines * 15_000 },
    })
    expect(await readBatchInput(options)).toBe(40)
    expect(seen.lines).toBe(2)
  })

  it('takes a file for no smaller than it was', async () => {
    const { options } = setUp(manyLines(70, MEGABYTE - 1), { checkModel: undefined, bytes: 5 })
    expect(await readBatchInput(options)).toBe(640)
  })

  it.each([undefined, 0, -1, 1.5, '9'])('refuses a large file of an unknown size: %s', async (bytes) => {
    const { options } = setUp(manyLines(70, MEGABYTE - 1), { checkModel: undefined, bytes })
    await expect(readBatchInput(options)).rejects.toMatchObject({ code: 'upstream_error' })
  })

  it.each([
    [404, 'not_found'],
    [500, 'upstream_error'],
  ])('tells a file that is gone from one that cannot be read: %i', async (status, code) => {
    const { options } = setUp([])
    const objects = {
      ...options.objects,
      // biome-ignore lint/correctness/useYield: it fails before there is a line
      async *readLines(): AsyncGenerator<string> {
        throw new GatewayError('upstream_error', { message: 'no', detail: { status } })
      },
    }
    await expect(readBatchInput({ ...options, objects })).rejects.toMatchObject({ code })
  })
})
