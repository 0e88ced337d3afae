import type { AlertMessage, Channel } from './channel.ts'
import { type Fetch, postJson } from './post.ts'
import { SIGNATURE_HEADER, sign } from './signature.ts'

export interface WebhookOptions {
  readonly name: string
  readonly url: string
  /** Left out: posts are not signed. */
  readonly secret?: string | undefined
  readonly now: () => number
  readonly fetch?: Fetch | undefined
}

/** Any HTTP endpoint: the alert as JSON, as the control API shows it. */
export function webhookChannel({ name, url, secret, now, fetch }: WebhookOptions): Channel {
  return {
    name,
    kind: 'webhook',
    async send(message, signal) {
      const body = JSON.stringify(toPayload(message))
      const headers: Record<string, string> =
        secret === undefined ? {} : { [SIGNATURE_HEADER]: sign(body, secret, Math.floor(now() / 1000)) }
      await postJson(url, body, { headers, fetch, signal })
    },
  }
}

function toPayload({ moment, alert }: AlertMessage) {
  const { id, kind, severity, status, organizationId, dedupeKey, title, detail } = alert
  return {
    type: `alert.${moment}`,
    alert: {
      id,
      kind,
      severity,
      status,
      organizationId,
      dedupeKey,
      title,
      detail,
      raisedAt: alert.raisedAt.toISOString(),
      acknowledgedAt: alert.acknowledgedAt?.toISOString() ?? null,
      resolvedAt: alert.resolvedAt?.toISOString() ?? null,
    },
  }
}
