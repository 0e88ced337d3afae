import type { MediaSource } from '../../chat.ts'
import { invalidRequest } from './fields.ts'

/**
 * @returns where the bytes are: inside a `data:` URL (RFC 2397), or at an address
 * @throws GatewayError `invalid_request` for a `data:` URL that cannot be read
 */
export function parseMediaUrl(url: string, path: string): MediaSource {
  if (!url.startsWith('data:')) return { kind: 'url', url }
  const comma = url.indexOf(',')
  if (comma < 0) throw invalidRequest(path, `Invalid data URL in '${path}': it has no comma.`)
  const header = url.slice('data:'.length, comma)
  const data = url.slice(comma + 1)
  const isBase64 = header.endsWith(';base64')
  const mediaType = (isBase64 ? header.slice(0, -';base64'.length) : header) || 'text/plain'
  return { kind: 'base64', mediaType, data: isBase64 ? data : percentToBase64(data, path) }
}

function percentToBase64(data: string, path: string): string {
  try {
    return Buffer.from(decodeURIComponent(data)).toString('base64')
  } catch {
    throw invalidRequest(path, `Invalid data URL in '${path}': its percent-encoding is broken.`)
  }
}

/** @returns a `data:` URL, or the address; `undefined` where the bytes are a file of some provider */
export function toMediaUrl(source: MediaSource): string | undefined {
  if (source.kind === 'url') return source.url
  return source.kind === 'base64' ? `data:${source.mediaType};base64,${source.data}` : undefined
}
