/** Something at a provider that a request names: its own account holds it, whoever made it. */
export interface Reference {
  /** A file can be looked up; of the rest nobody here knows whose it is. */
  readonly kind: 'file' | 'state'
  readonly id: string
  /** As its author would write it: `input[0].content[1].file_id`. */
  readonly path: string
}

const FILES = new Set(['file_id', 'fileId'])
const STATES = new Set([
  'previous_response_id',
  'conversation',
  'conversation_id',
  'vector_store_ids',
  'container',
  'cachedContent',
  'cached_content',
])
const MARKS = [...FILES, ...STATES].map((name) => Buffer.from(`"${name}"`))
// A name can be written with escapes; then only a look at the parsed body tells.
const ESCAPE = Buffer.from('\\u')
/** Google's own address of an uploaded file. */
const GOOGLE_FILE = /^https:\/\/generativelanguage\.googleapis\.com\/[^?]*files\//
const GOOGLE_MARK = Buffer.from('generativelanguage.googleapis.com')

/** @returns false where a look at the bytes shows already that nothing is named */
export function mayHoldReferences(body: Buffer): boolean {
  return body.includes(ESCAPE) || body.includes(GOOGLE_MARK) || MARKS.some((mark) => body.includes(mark))
}

/** @returns every reference in a body, wherever it stands; not those in what a model or a tool wrote as JSON text */
export function findReferences(body: unknown): Reference[] {
  const found: Reference[] = []
  const waiting: { readonly value: unknown; readonly path: string }[] = [{ value: body, path: '' }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, path } = next
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) waiting.push({ value: item, path: `${path}[${index}]` })
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value)) {
        const at = path === '' ? name : `${path}.${name}`
        const kind = kindOf(name, item)
        if (kind !== undefined) for (const id of idsOf(item)) found.push({ kind, id, path: at })
        waiting.push({ value: item, path: at })
      }
    }
  }
  return found
}

function kindOf(name: string, value: unknown): Reference['kind'] | undefined {
  if (FILES.has(name)) return 'file'
  if (STATES.has(name)) return 'state'
  const isGoogleFile =
    (name === 'fileUri' || name === 'file_uri') && typeof value === 'string' && GOOGLE_FILE.test(value)
  return isGoogleFile ? 'state' : undefined
}

/** An id, a list of ids, or an object that names one. */
function idsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.filter((item) => typeof item === 'string')
  if (typeof value !== 'object' || value === null) return []
  const { id } = value as { id?: unknown }
  return typeof id === 'string' ? [id] : []
}
