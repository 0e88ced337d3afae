import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formField, parseForm, replaceFormField } from './multipart.ts'

const TYPE = 'multipart/form-data; boundary=xyz'

function form(...parts: string[]): Buffer {
  return Buffer.from(`${parts.map((part) => `--xyz\r\n${part}`).join('\r\n')}\r\n--xyz--\r\n`)
}

function field(name: string, value: string): string {
  return `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
}

async function formBytes(data: FormData): Promise<{ body: Buffer; type: string }> {
  const response = new Response(data)
  return {
    body: Buffer.from(await response.arrayBuffer()),
    type: response.headers.get('content-type') ?? '',
  }
}

describe('parseForm()', () => {
  it('finds text fields and files of a form as clients write it', async () => {
    const data = new FormData()
    data.append('model', 'whisper-1')
    data.append('file', new File([Buffer.from([0, 13, 10, 45, 45, 255])], 'a "quoted" name.mp3'))
    data.append('empty', '')
    const { body, type } = await formBytes(data)
    const parts = parseForm(body, type)
    expect(parts.map(({ name }) => name)).toEqual(['model', 'file', 'empty'])
    expect(formField(body, parts, 'model')).toBe('whisper-1')
    expect(formField(body, parts, 'empty')).toBe('')
    const file = parts[1]
    expect(file?.filename).toContain('quoted')
    expect([...body.subarray(file?.start, file?.end)]).toEqual([0, 13, 10, 45, 45, 255])
  })

  it('reads names without quotes, quoted boundaries and further parameters', () => {
    const body = form('content-disposition:form-data; name=model; x=1\r\ncontent-type: text/plain\r\n\r\nm')
    const parts = parseForm(body, 'multipart/form-data; charset=utf-8; boundary="xyz"')
    expect(formField(body, parts, 'model')).toBe('m')
  })

  it.each([
    ['no boundary', form(field('a', 'b')), 'multipart/form-data'],
    ['another type', form(field('a', 'b')), 'text/plain; boundary=xyz'],
    ['a beginning of its own', Buffer.concat([Buffer.from('hello\r\n'), form(field('a', 'b'))]), TYPE],
    ['something after its end', Buffer.concat([form(field('a', 'b')), form(field('c', 'd'))]), TYPE],
    ['no end', form(field('a', 'b')).subarray(0, -8), TYPE],
    ['a longer boundary inside', form(field('a', 'b\r\n--xyzz\r\nc')), TYPE],
    ['two names', form('Content-Disposition: form-data; name="a"; name="model"\r\n\r\nb'), TYPE],
    ['an encoded name', form("Content-Disposition: form-data; name*=utf-8''model\r\n\r\nb"), TYPE],
    ['an escaped name', form('Content-Disposition: form-data; name="mo\\del"\r\n\r\nb'), TYPE],
    ['two dispositions', form(`Content-Disposition: form-data; name="a"\r\n${field('model', 'b')}`), TYPE],
    ['a folded header', form('Content-Disposition: form-data;\r\n name="model"\r\n\r\nb'), TYPE],
    ['a field without headers', form('\r\nfoo', field('model', 'b')), TYPE],
    ['line feeds alone', Buffer.from('--xyz\nContent-Disposition: form-data; name="a"\n\nb\n--xyz--'), TYPE],
    ['too many fields', form(...Array.from({ length: 257 }, () => field('a', 'b'))), TYPE],
  ])('refuses a form with %s', (_what, body, type) => {
    expect(() => parseForm(body, type)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })

  it('reads whatever values a client writes, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.stringMatching(/^[a-z_]{1,10}$/), fc.uint8Array({ maxLength: 60 })), {
          maxLength: 6,
        }),
        async (fields) => {
          const data = new FormData()
          for (const [name, value] of fields) data.append(name, new File([Buffer.from(value)], 'f'))
          if (fields.length === 0) return
          const { body, type } = await formBytes(data)
          const read = parseForm(body, type).map(({ name, start, end }) => [
            name,
            [...body.subarray(start, end)],
          ])
          expect(read).toEqual(fields.map(([name, value]) => [name, [...value]]))
        },
      ),
    )
  })
})

describe('formField()', () => {
  it('refuses a field that stands twice, or is a file', () => {
    const twice = form(field('model', 'a'), field('model', 'b'))
    expect(() => formField(twice, parseForm(twice, TYPE), 'model')).toThrow(/one short text/)
    const file = form('Content-Disposition: form-data; name="model"; filename="f"\r\n\r\na')
    expect(() => formField(file, parseForm(file, TYPE), 'model')).toThrow(/one short text/)
  })
})

describe('replaceFormField()', () => {
  it('changes one value and no other byte', () => {
    const body = form(field('a', '1'), field('model', 'ours'), field('b', '2'))
    const changed = replaceFormField(body, parseForm(body, TYPE), 'model', 'theirs')
    expect(changed.toString()).toBe(body.toString().replace('ours', 'theirs'))
  })
})
