import { GatewayError } from '../core/errors.ts'

/**
 * Forms (RFC 7578) as bytes, read in their plain shape alone. What two parsers could read differently is refused:
 * a provider must never find another model in a form than we did.
 */

/** One field of a form; its value are the bytes from `start` (inclusive) to `end` (exclusive). */
export interface FormPart {
  readonly name: string
  /** `undefined` where the field is no file. */
  readonly filename: string | undefined
  readonly start: number
  readonly end: number
}

/** More fields than any operation has, files of an image edit included. */
const PARTS_MAX = 256
const HEADER_BYTES_MAX = 16 * 1024
/** Prompts are the longest texts in forms. */
const FIELD_BYTES_MAX = 256 * 1024

const LINE_END = Buffer.from('\r\n')
const HEADERS_END = Buffer.from('\r\n\r\n')

/**
 * @param contentType with the boundary
 * @returns the fields in their order
 * @throws GatewayError `invalid_request`
 */
export function parseForm(body: Buffer, contentType: string): FormPart[] {
  const delimiter = Buffer.from(`--${boundaryOf(contentType)}`)
  const inner = Buffer.concat([LINE_END, delimiter])
  const parts: FormPart[] = []
  let position = startsWith(body, LINE_END, 0) ? LINE_END.length : 0
  if (!startsWith(body, delimiter, position)) throw unreadable('it does not begin with its boundary')
  position += delimiter.length
  while (!startsWith(body, '--', position)) {
    if (!startsWith(body, LINE_END, position)) throw unreadable('a boundary is not followed by a line end')
    position += LINE_END.length
    const headersEnd = body.indexOf(HEADERS_END, position)
    if (headersEnd < 0 || headersEnd - position > HEADER_BYTES_MAX)
      throw unreadable('the headers of a field do not end')
    const start = headersEnd + HEADERS_END.length
    // The value may be empty, and then the line end before the boundary is that of the headers.
    const end = body.indexOf(inner, start)
    if (end < 0) throw unreadable('a field does not end')
    if (parts.length === PARTS_MAX) throw unreadable(`it has more than ${PARTS_MAX} fields`)
    parts.push({ ...readDisposition(body.toString('utf8', position, headersEnd)), start, end })
    position = end + inner.length
  }
  const rest = body.subarray(position + 2)
  if (rest.length > 0 && !rest.equals(LINE_END)) throw unreadable('something follows its end')
  return parts
}

/**
 * @returns the value of a field that is a text; `undefined` where there is none
 * @throws GatewayError `invalid_request` where the field stands twice, is a file or is too long
 */
export function formField(body: Buffer, parts: readonly FormPart[], name: string): string | undefined {
  const [part, second] = parts.filter((each) => each.name === name)
  if (part === undefined) return undefined
  if (second !== undefined || part.filename !== undefined || part.end - part.start > FIELD_BYTES_MAX) {
    throw new GatewayError('invalid_request', {
      message: `The field \`${name}\` of the form has to be one short text.`,
      param: name,
    })
  }
  return body.toString('utf8', part.start, part.end)
}

/** @returns the form with another value in one field, and every other byte as it was */
export function replaceFormField(
  body: Buffer,
  parts: readonly FormPart[],
  name: string,
  value: string,
): Buffer {
  const part = parts.find((each) => each.name === name)
  if (part === undefined) return body
  return Buffer.concat([body.subarray(0, part.start), Buffer.from(value), body.subarray(part.end)])
}

/** RFC 2046, section 5.1.1: 1 to 70 characters, quoted where they are no token. */
const BOUNDARY =
  /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"\\\r\n]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)/i

function boundaryOf(contentType: string): string {
  const match = BOUNDARY.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined) {
    throw new GatewayError('invalid_request', {
      message: 'The body has to be a form: `content-type: multipart/form-data` with a boundary.',
    })
  }
  return boundary
}

const PARAMETER = /\s*;\s*([A-Za-z0-9*_-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/y

/** @param headers lines of one field, joined by CRLF */
function readDisposition(headers: string): { name: string; filename: string | undefined } {
  const lines = headers.split('\r\n')
  // A line that begins with a space goes on with the one before: obsolete, and read differently everywhere.
  if (lines.some((line) => !/^[A-Za-z0-9-]+:[^\r\n]*$/.test(line)))
    throw unreadable('a header is no plain line')
  const [line, second] = lines.filter((each) => /^content-disposition:/i.test(each))
  const head = /^content-disposition:[ \t]*form-data(?=[ \t]*(?:;|$))/i.exec(line ?? '')
  if (line === undefined || second !== undefined || head === null) throw unreadable('a field has no name')
  const found = new Map<string, string>()
  PARAMETER.lastIndex = head[0].length
  let end = PARAMETER.lastIndex
  for (let match = PARAMETER.exec(line); match !== null; match = PARAMETER.exec(line)) {
    const key = (match[1] ?? '').toLowerCase()
    if (found.has(key)) throw unreadable('a field is named twice')
    found.set(key, match[2] ?? match[3] ?? '')
    end = PARAMETER.lastIndex
  }
  const name = found.get('name')
  if (line.slice(end).trim() !== '' || found.has('name*') || name === undefined || /[\\%]/.test(name)) {
    throw unreadable('the name of a field is not plain')
  }
  return { name, filename: found.get('filename') ?? found.get('filename*') }
}

function startsWith(body: Buffer, text: Buffer | string, position: number): boolean {
  const wanted = typeof text === 'string' ? Buffer.from(text) : text
  return (
    body.length >= position + wanted.length &&
    body.compare(wanted, 0, wanted.length, position, position + wanted.length) === 0
  )
}

function unreadable(why: string): GatewayError {
  return new GatewayError('invalid_request', { message: `The form cannot be read: ${why}.` })
}
