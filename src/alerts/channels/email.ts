import type { AlertMessage, Channel } from './channel.ts'
import { failed, reasonOf, timedOut } from './post.ts'
import { clip, factsOf, headlineOf, textOf } from './wording.ts'

export interface EmailOptions {
  readonly name: string
  /** `smtps://user:password@host:465`, `smtp://host:587` */
  readonly smtpUrl: string
  readonly from: string
  readonly to: readonly string[]
}

const TIMEOUT_MS = 10_000
const SUBJECT_LENGTH_MAX = 200

/** Mail. The mailer is loaded with the first message: most deployments have none. */
export function emailChannel({ name, smtpUrl, from, to }: EmailOptions): Channel {
  return {
    name,
    kind: 'email',
    async send(message, signal) {
      const { createTransport } = await import('nodemailer')
      const transport = createTransport({
        url: smtpUrl,
        connectionTimeout: TIMEOUT_MS,
        greetingTimeout: TIMEOUT_MS,
        socketTimeout: TIMEOUT_MS,
        // An alert names no files, and what callers are called must not become one.
        disableFileAccess: true,
        disableUrlAccess: true,
      })
      const stop = () => transport.close()
      signal.addEventListener('abort', stop, { once: true })
      try {
        await transport.sendMail({
          from,
          to: [...to],
          subject: clip(`[Gatehouse] ${headlineOf(message)}`.replace(/\s+/g, ' '), SUBJECT_LENGTH_MAX),
          text: textOf(message),
          html: toHtml(message),
          headers: { 'auto-submitted': 'auto-generated', 'x-gatehouse-alert': message.alert.id },
        })
      } catch (error) {
        throw toError(error)
      } finally {
        signal.removeEventListener('abort', stop)
        transport.close()
      }
    },
  }
}

/** A mail server's own words may hold the user's name, so only codes are told. */
function toError(error: unknown) {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown }
  if (code === 'ETIMEDOUT') return timedOut()
  return failed(typeof responseCode === 'number' ? `SMTP status ${responseCode}` : reasonOf(error))
}

function toHtml(message: AlertMessage): string {
  const rows = [
    ...factsOf(message),
    { label: 'Kind', value: message.alert.kind },
    { label: 'Raised', value: message.alert.raisedAt.toISOString() },
    { label: 'Alert', value: message.alert.id },
  ]
  const cells = rows
    .map(
      ({ label, value }) =>
        `<tr><td style="padding:2px 16px 2px 0;color:#555">${escapeHtml(label)}</td><td>${escapeHtml(value)}</td></tr>`,
    )
    .join('')
  return (
    `<div style="font-family:sans-serif;font-size:14px"><h2 style="font-size:16px">${escapeHtml(headlineOf(message))}</h2>` +
    `<table style="border-collapse:collapse">${cells}</table></div>`
  )
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
