import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { type ForwardOptions, forwardBody } from './forward-body.ts'

/** What becomes of a body: the caller's own buffer stays the same one where nothing changes. */
function forward(text: string, options: Partial<ForwardOptions> = {}): string {
  const body = Buffer.from(text)
  const json = JSON.parse(text) as Record<string, unknown>
  const result = forwardBody(makeIncoming(json, { body, json }), {
    model: undefined,
    addStreamOptions: false,
    ...options,
  })
  if (result.equals(body)) expect(result).toBe(body)
  return result.toString()
}

describe('forwardBody()', () => {
  it('passes a body on as it is where nothing is ours to set', () => {
    const text =
      '{ "model" : "gpt-4o", "n":1.0,"seed":12345678901234567890, "x":"\\u00e9", "messages": [] }\n'
    expect(forward(text, { model: 'gpt-4o' })).toBe(text)
    expect(forward(text)).toBe(text)
  })

  it('changes the value of the model and no other byte', () => {
    const text =
      '{\t"messages":[{"role":"user","model":"x","content":"\\"model\\":\\"y\\""}],\n "model" : "chat" , "z":1e2}'
    expect(forward(text, { model: 'gpt-4o' })).toBe(text.replace('"chat"', '"gpt-4o"'))
  })

  it('changes a model whose name is written with escapes', () => {
    expect(forward('{"mod\\u0065l":"chat","a":1}', { model: 'gpt-4o' })).toBe(
      '{"mod\\u0065l":"gpt-4o","a":1}',
    )
  })

  it('writes a model that needs escapes', () => {
    const written = forward('{"model":"chat"}', { model: 'a"b\\c' })
    expect(JSON.parse(written)).toEqual({ model: 'a"b\\c' })
  })

  it.each([
    ['model', '{"model":"cheap","messages":[],"model":"dear"}'],
    ['model in escapes', '{"model":"cheap","messages":[],"mod\\u0065l":"dear"}'],
    ['max_tokens', '{"model":"dear","max_tokens":1,"messages":[],"max_tokens":9}'],
    ['messages', '{"model":"dear","messages":[1],"messages":[]}'],
    ['__proto__', '{"model":"dear","__proto__":1,"__proto__":{"a":2}}'],
  ])('writes a body anew that names %s twice', (_name, text) => {
    const written = forward(text, { model: 'dear' })
    expect(written).toBe(JSON.stringify(JSON.parse(text)))
    expect(JSON.parse(written)).toEqual(JSON.parse(text))
  })

  it('sets model and options in a body that it writes anew', () => {
    const written = forward('{"model":"a","model":"b","stream":true}', { model: 'c', addStreamOptions: true })
    expect(JSON.parse(written)).toEqual({ model: 'c', stream: true, stream_options: { include_usage: true } })
  })

  it.each([
    ['nothing', '{"stream":true}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['null', '{"stream_options":null}', '{"stream_options":{"include_usage":true}}'],
    ['an empty object', '{"stream_options":{}}', '{"stream_options":{"include_usage":true}}'],
    ['no', '{"stream_options":{"include_usage":false}}', '{"stream_options":{"include_usage":true}}'],
    [
      'other options',
      '{"stream_options":{"include_obfuscation":false}}',
      '{"stream_options":{"include_obfuscation":false,"include_usage":true}}',
    ],
    ['yes', '{"stream_options": {"include_usage" : true}}', '{"stream_options": {"include_usage" : true}}'],
    // What the provider refuses is refused in its own words.
    ['a list', '{"stream_options":["include_usage"]}', '{"stream_options":["include_usage"]}'],
    ['a text', '{"stream_options":"include_usage"}', '{"stream_options":"include_usage"}'],
  ])('asks for usage where the caller says %s of it', (_name, text, expected) => {
    expect(forward(text, { addStreamOptions: true })).toBe(expected)
  })

  it('leaves stream options alone where they are not ours to set', () => {
    expect(forward('{"stream_options":{"include_usage":false}}')).toBe(
      '{"stream_options":{"include_usage":false}}',
    )
  })

  it('is nothing where there is no body', () => {
    expect(
      forwardBody(makeIncoming({}, { body: undefined, json: undefined }), {
        model: 'm',
        addStreamOptions: true,
      }),
    ).toHaveLength(0)
  })

  it('means what the caller wrote, but for our fields, for any body', () => {
    const body = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6, noNullPrototype: true })
    fc.assert(
      fc.property(body, fc.string(), fc.boolean(), fc.nat(2), (json, model, addStreamOptions, indent) => {
        const written = forward(JSON.stringify({ ...json, model: 'x' }, null, indent), {
          model,
          addStreamOptions,
        })
        const { stream_options: options, ...rest } = JSON.parse(written)
        const { stream_options: given, ...before } = json
        expect(rest).toEqual(JSON.parse(JSON.stringify({ ...before, model })))
        if (addStreamOptions && (given === undefined || given === null))
          expect(options).toEqual({ include_usage: true })
        if (!addStreamOptions) expect(options).toEqual(given)
      }),
    )
  })
})
