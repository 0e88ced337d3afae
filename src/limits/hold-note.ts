import assert from 'node:assert'

/**
 * What is kept with a hold, so that somebody else can book its call when the process that made it is dead: the facts
 * of a row of the ledger that are known before the call leaves. The request's id is the hold's.
 */
export interface HoldNote {
  /** Becomes the row's id: a row that comes later from the dead process's own journal is the same settlement. */
  readonly attemptId: string
  readonly attempt: number
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly sessionId: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly provider: string
  readonly model: string
  readonly operation: string
  readonly task: string | null
  readonly format: string
  readonly stream: boolean
  readonly requestedModel: string | null
  /** By our own count. */
  readonly tokensInput: number
  /** What the input alone costs. */
  readonly costInputNanoUsd: number
  readonly priceVersion: string | null
  /** When the call came in, Unix milliseconds: half of the row's key, beside its id. */
  readonly receivedAtMs: number
}

/** What the counters take; see `TakeRequest.note`. */
export const NOTE_BYTES_MAX = 4096

const VERSION = 1
/** What may be as long as a caller likes, beside tags, the least needed first: the bill is right without any of it. */
const CUT = ['sessionId', 'task', 'requestedModel', 'userId'] as const
/** Of a model's name, where nothing else is left to cut; the longest that is known has less than half of this. */
const MODEL_CHARACTERS_MAX = 256

/** @returns JSON of at most 4 kB: where it would be more, tags are cut away first, then what else callers name */
export function toNote(note: HoldNote): string {
  let text = toText(note)
  if (fits(text)) return text
  const tags = { ...note.tags }
  let short: HoldNote = { ...note, tags }
  // The longest first, so that as many as possible stay.
  for (const name of Object.keys(tags).sort((a, b) => size(tags, b) - size(tags, a))) {
    delete tags[name]
    text = toText(short)
    if (fits(text)) return text
  }
  for (const name of CUT) {
    short = { ...short, [name]: null }
    text = toText(short)
    if (fits(text)) return text
  }
  text = toText({ ...short, model: note.model.slice(0, MODEL_CHARACTERS_MAX) })
  assert(fits(text), 'What is left in the note of a hold is ours, and short.')
  return text
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= NOTE_BYTES_MAX
}

/** @returns the note; `undefined` for anything else, whatever it is */
export function fromNote(text: string | undefined): HoldNote | undefined {
  if (text === undefined || text.length > NOTE_BYTES_MAX) return undefined
  let parts: unknown
  try {
    parts = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts.length !== FIELDS.length + 1 || parts[0] !== VERSION) return undefined
  const note: Record<string, unknown> = {}
  for (const [index, [name, isValid]] of FIELDS.entries()) {
    const value: unknown = parts[index + 1]
    if (!isValid(value)) return undefined
    note[name] = value
  }
  return note as unknown as HoldNote
}

/** A list and not an object: the names of its fields would be half of it, in every hold. */
function toText(note: HoldNote): string {
  return JSON.stringify([VERSION, ...FIELDS.map(([name]) => note[name])])
}

function size(tags: Readonly<Record<string, string>>, name: string): number {
  return name.length + (tags[name]?.length ?? 0)
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isName: Check = (value) => typeof value === 'string' && value !== ''
const isTextOrNull: Check = (value) => value === null || typeof value === 'string'
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isTags: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText)

const FIELDS: readonly (readonly [keyof HoldNote, Check])[] = [
  ['attemptId', isName],
  ['attempt', isCount],
  ['teamId', isTextOrNull],
  ['keyId', isTextOrNull],
  ['userId', isTextOrNull],
  ['sessionId', isTextOrNull],
  ['tags', isTags],
  ['provider', isText],
  ['model', isText],
  ['operation', isName],
  ['task', isTextOrNull],
  ['format', isText],
  ['stream', (value) => typeof value === 'boolean'],
  ['requestedModel', isTextOrNull],
  ['tokensInput', isCount],
  ['costInputNanoUsd', isCount],
  ['priceVersion', isTextOrNull],
  // Later than this is no date any more (ECMA-262, Time Values and Time Range).
  ['receivedAtMs', (value) => isCount(value) && Number(value) <= 8_640_000_000_000_000],
]
