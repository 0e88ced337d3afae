import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { extract } from './extract.ts'
import { answering } from './fixtures/scripted-calls.ts'

const PERSON = z.object({ name: z.string(), age: z.int() })
const REQUEST = { model: 'm', messages: 'Ann is 30.', schema: PERSON }

describe('extract()', () => {
  it('gives a value of the schema, and shows the schema to the model', async () => {
    const calls = answering('{"name":"Ann","age":30}')
    const { value, repaired, completions } = await extract(calls, { ...REQUEST, name: 'person' })
    expect(value).toEqual({ name: 'Ann', age: 30 })
    expect(repaired).toBe(false)
    expect(completions).toHaveLength(1)
    expect(calls.requests[0]?.responseFormat).toMatchObject({
      type: 'json-schema',
      name: 'person',
      schema: { type: 'object', required: ['name', 'age'] },
    })
  })

  it('gives what the schema makes of the answer', async () => {
    const schema = z.object({ at: z.string().transform((text) => new Date(text)) })
    const { value } = await extract(answering('{"at":"2026-01-01T00:00:00Z"}'), { ...REQUEST, schema })
    expect(value.at.getUTCFullYear()).toBe(2026)
  })

  it.each([
    ['```json\n{"name":"Ann","age":30}\n```'],
    ['```\n{"name":"Ann","age":30}```'],
    ['  \n```JSON\r\n{"name":"Ann","age":30}\r\n```\n '],
    ['\n {"name":"Ann","age":30}\n'],
  ])('reads an answer in a fence: %j', async (text) => {
    expect((await extract(answering(text), REQUEST)).value).toEqual({ name: 'Ann', age: 30 })
  })

  it('shows the model once what is wrong', async () => {
    const calls = answering('{"name":"Ann","age":"thirty"}', '{"name":"Ann","age":30}')
    const { value, repaired, completions } = await extract(calls, REQUEST)
    expect(value.age).toBe(30)
    expect(repaired).toBe(true)
    expect(completions.map(({ requestId }) => requestId)).toEqual(['req_1', 'req_2'])
    const messages = calls.requests[1]?.messages ?? ''
    const said = typeof messages === 'string' ? [] : messages
    expect(said.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(JSON.stringify(said[1])).toContain('thirty')
    expect(JSON.stringify(said[2])).toContain('age')
  })

  it('repeats no empty answer to the model: providers refuse empty turns', async () => {
    const calls = answering('', '{"name":"Ann","age":30}')
    await extract(calls, REQUEST)
    const messages = calls.requests[1]?.messages ?? ''
    expect(typeof messages === 'string' ? [] : messages.map(({ role }) => role)).toEqual(['user', 'user'])
  })

  it('gives up after the second answer, and names both calls', async () => {
    const calls = answering('no idea', 'still none')
    await expect(extract(calls, REQUEST)).rejects.toMatchObject({
      code: 'upstream_error',
      detail: { requestIds: ['req_1', 'req_2'] },
    })
    expect(calls.requests).toHaveLength(2)
  })

  it('is not held up by an answer that is almost a fence', async () => {
    const calls = answering(`\`\`\`${' '.repeat(50_000)}x`, `\`\`\`json${'\n'.repeat(50_000)}`)
    await expect(extract(calls, REQUEST)).rejects.toMatchObject({ code: 'upstream_error' })
  })

  it('passes on who the call is for', async () => {
    const calls = answering('{"name":"Ann","age":30}')
    const { signal } = new AbortController()
    await extract(calls, { ...REQUEST, user: 'u', tags: { deal: 'D' }, timeoutMs: 5, signal })
    expect(calls.requests[0]).toMatchObject({ user: 'u', tags: { deal: 'D' }, timeoutMs: 5, signal })
    expect(calls.requests[0]).not.toHaveProperty('schema')
  })
})

describe('extract() by JSON Schema', () => {
  const schema = {
    type: 'object',
    properties: { tags: { type: 'array', items: { type: 'string' } } },
    required: ['tags'],
  }

  it('checks the answer', async () => {
    const calls = answering('{"tags":[1]}', '{"tags":["a"]}')
    const { value, repaired } = await extract(calls, { ...REQUEST, schema })
    expect([value, repaired]).toEqual([{ tags: ['a'] }, true])
    expect(JSON.stringify(calls.requests[1]?.messages)).toContain('/tags/0 must be string')
  })

  it.each([
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema',
  ])('knows the edition %s', async ($schema) => {
    const { value } = await extract(answering('{"tags":[]}'), { ...REQUEST, schema: { $schema, ...schema } })
    expect(value).toEqual({ tags: [] })
  })

  it('knows what only the newest edition has', async () => {
    const pair = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'array',
      prefixItems: [{ type: 'string' }, { type: 'number' }],
    }
    const calls = answering('["a","b"]', '["a",1]')
    expect((await extract(calls, { ...REQUEST, schema: pair })).repaired).toBe(true)
  })

  it('says what is wrong with a schema before anything is spent', async () => {
    const calls = answering()
    for (const wrong of [
      { type: 'nonsense' },
      { $ref: '#/nowhere' },
      { $schema: 'https://example.com/none' },
    ]) {
      await expect(extract(calls, { ...REQUEST, schema: wrong })).rejects.toMatchObject({
        code: 'invalid_request',
        param: 'schema',
      })
    }
    await expect(extract(calls, { ...REQUEST, schema: z.object({ at: z.date() }) })).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'schema',
    })
    expect(calls.requests).toEqual([])
  })
})
