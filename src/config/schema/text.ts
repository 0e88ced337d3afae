import { isIP } from 'node:net'
import { z } from 'zod'
import { Secret } from '../../core/secret.ts'

/** Building blocks of the sections: kinds of text and number that several of them use. */

/** Matches a text with at least one reference, for the printed JSON Schema; the loader checks it exactly. */
export const REFERENCE_PATTERN = '\\$\\{[a-z][a-z0-9-]*:[^}]+\\}'

/**
 * A secret that a file may only refer to (`${env:NAME}`, `${file:PATH}`, …), never hold.
 *
 * @param check says in one sentence what is wrong with the resolved text; it must not repeat it
 */
export function secretText(description: string, check?: (text: string) => string | undefined) {
  return z
    .string()
    .superRefine((text, context) => {
      const message = check === undefined && text === '' ? 'must not be empty' : check?.(text)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
    .transform((text) => new Secret(text))
    .meta({ description, writeOnly: true, pattern: REFERENCE_PATTERN })
}

/** A text that is never shown, but that a file may hold: a header may be a token or a mere flag. */
export function sensitiveText(description: string) {
  return z
    .string()
    .min(1)
    .transform((text) => new Secret(text))
    .meta({ description, writeOnly: true })
}

/** An absolute URL, without slashes at its end so that paths can be appended. */
export function httpUrl(description: string, example: string) {
  return z
    .string()
    .superRefine((text, context) => {
      if (!isUrl(text, ['http:', 'https:'])) {
        context.addIssue({ code: 'custom', message: 'must be a URL that begins with http:// or https://' })
      }
    })
    .transform((text) => text.replace(/\/+$/, ''))
    .meta({ description, examples: [example] })
}

/** @returns whether `text` is an absolute URL of one of `protocols` (each with its colon) */
export function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol)
}

/** @returns whether `text` is an IP address or a CIDR range such as `10.0.0.0/8` */
export function isAddressOrRange(text: string): boolean {
  const slash = text.indexOf('/')
  const version = isIP(slash < 0 ? text : text.slice(0, slash))
  if (version === 0 || slash < 0) return version !== 0
  const bits = text.slice(slash + 1)
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
}

/** Timers of Node cannot wait longer than a 32-bit signed number of milliseconds. */
export const TIMER_MS_MAX = 2_147_483_647

export function durationMs(description: string) {
  return z.int().min(1).max(TIMER_MS_MAX).describe(description)
}

/** Part of paths, headers and metrics, and the first half of `provider/model`: no blank, no slash. */
export const PROVIDER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
export const PROVIDER_NAME_RULE =
  'is no name for a provider: letters, digits, dots, dashes and underscores, 64 at most, a letter or digit first'

/** As providers write them: `gpt-4o`, `meta/llama-3.1-8b`, `llama3:8b`, `claude@20240620`. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,255}$/
export const MODEL_NAME_RULE =
  'is no name for a model: letters, digits and . _ : / @ + -, 256 at most, a letter or digit first'

/** Only the first slash separates, because models have slashes in their names too. */
export const PROVIDER_AND_MODEL = /^[^/\s]+\/\S+$/
export const PROVIDER_AND_MODEL_RULE = 'must be `provider/model`'
