import type { IncomingMessage } from 'node:http'
import { isObject, type JsonObject } from './json.ts'

const NO_FIELDS: JsonObject = {}

/** Calls back with the whole body, with nothing when it grows too large, and never when the client leaves. */
export function collectBody(
  request: IncomingMessage,
  bytesMax: number,
  done: (bytes?: Buffer) => void,
): void {
  const chunks: Buffer[] = []
  let length = 0
  let isTooLarge = false
  request.on('data', (chunk: Buffer) => {
    if (isTooLarge) return
    length += chunk.length
    chunks.push(chunk)
    if (length <= bytesMax) return
    isTooLarge = true
    chunks.length = 0
    done()
  })
  request.on('end', () => {
    if (isTooLarge) return
    const only = chunks[0]
    done(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length))
  })
  // Node closes the response of a request that breaks off; there is nobody to tell.
  request.on('error', () => {})
}

/** @returns the object, an empty one where no JSON is meant, `undefined` where the JSON is broken */
export function parseBody(bytes: Buffer, contentType: string): JsonObject | undefined {
  if (bytes.length === 0 || contentType.startsWith('multipart/')) return NO_FIELDS
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Reads one header without making an object of them all; names come as the client spelled them. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i]
    if (candidate?.length === name.length && candidate.toLowerCase() === name) return rawHeaders[i + 1]
  }
  return undefined
}
