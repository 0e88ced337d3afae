/** Endings of URLs whose media type Gemini reads (https://ai.google.dev/gemini-api/docs/file-input-methods). */
const TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  heic: 'image/heic',
  heif: 'image/heif',
  wav: 'audio/wav',
  mp3: 'audio/mp3',
  aiff: 'audio/aiff',
  aac: 'audio/aac',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/markdown',
  html: 'text/html',
  csv: 'text/csv',
  json: 'application/json',
  xml: 'text/xml',
  mp4: 'video/mp4',
  mpeg: 'video/mpeg',
  mpg: 'video/mpg',
  mov: 'video/mov',
  webm: 'video/webm',
  wmv: 'video/wmv',
  flv: 'video/x-flv',
}

/** @returns the media type that the ending of a URL or file name tells, or `undefined` */
export function mediaTypeOfName(name: string): string | undefined {
  const path = name.split(/[?#]/, 1)[0] ?? ''
  const ending = /\.([a-z0-9]{2,5})$/i.exec(path)?.[1]
  return ending === undefined ? undefined : TYPES[ending.toLowerCase()]
}

/** @returns OpenAI's name of an encoding of sound: `wav`, `mp3` … */
export function encodingOfMediaType(mediaType: string): string {
  const subtype = (mediaType.split(';', 1)[0] ?? '').slice('audio/'.length).toLowerCase()
  if (subtype === 'mpeg') return 'mp3'
  return subtype.replace(/^x-/, '')
}

/** @returns the media type of an encoding as OpenAI names it */
export function mediaTypeOfEncoding(encoding: string): string {
  return encoding === 'pcm16' ? 'audio/l16' : `audio/${encoding}`
}
