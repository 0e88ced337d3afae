import { isObject } from './fields.ts'

/**
 * What a provider wants back with a thought or a tool call in the next turn. The Responses API has one opaque
 * slot for it, `encrypted_content`, which its clients (Codex too) return unchanged with the conversation.
 */
export interface SealedReasoning {
  /** Anthropic's `signature`, Gemini's `thoughtSignature`. */
  readonly signature?: string | undefined
  /** The provider's own encrypted thought. */
  readonly encrypted?: string | undefined
  /** The provider's id of the thought. */
  readonly id?: string | undefined
  /** The tool call that the signature belongs to, where it belongs to one. */
  readonly callId?: string | undefined
}

/** Marks our envelopes among the values of other providers. */
const PREFIX = 'gatehouse1.'

/** @returns an opaque text for `encrypted_content` from which `unseal` reads the same parts again */
export function seal(parts: SealedReasoning): string {
  const json = JSON.stringify({ s: parts.signature, e: parts.encrypted, i: parts.id, c: parts.callId })
  return PREFIX + Buffer.from(json).toString('base64url')
}

/** @returns what we sealed, or `undefined` where the value is another's and stays as it is */
export function unseal(value: string): SealedReasoning | undefined {
  if (!value.startsWith(PREFIX)) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(value.slice(PREFIX.length), 'base64url').toString())
  } catch {
    return undefined
  }
  if (!isObject(parsed)) return undefined
  const text = (field: unknown) => (typeof field === 'string' ? field : undefined)
  return {
    signature: text(parsed.s),
    encrypted: text(parsed.e),
    id: text(parsed.i),
    callId: text(parsed.c),
  }
}
