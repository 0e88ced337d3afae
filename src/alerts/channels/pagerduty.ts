import { createHash } from 'node:crypto'
import type { AlertMessage, Channel } from './channel.ts'
import { type Fetch, postJson } from './post.ts'
import { clip } from './wording.ts'

export interface PagerDutyOptions {
  readonly name: string
  readonly routingKey: string
  /** Default: PagerDuty's own. */
  readonly url?: string | undefined
  readonly fetch?: Fetch | undefined
}

const EVENTS_URL = 'https://events.pagerduty.com/v2/enqueue'
const SEVERITIES = { low: 'info', medium: 'warning', high: 'error', critical: 'critical' } as const
/** https://developer.pagerduty.com/docs/send-alert-event (read November 2026). */
const DEDUP_KEY_LENGTH_MAX = 255
const SUMMARY_LENGTH_MAX = 1024

/** PagerDuty, Events API v2: an alert opens an incident, its end resolves it. */
export function pagerDutyChannel(options: PagerDutyOptions): Channel {
  const { name, routingKey, url = EVENTS_URL, fetch } = options
  return {
    name,
    kind: 'pagerduty',
    async send(message, signal) {
      await postJson(url, JSON.stringify(toEvent(message, routingKey)), { fetch, signal })
      // A test must not leave an incident open.
      if (message.moment === 'test') {
        const end = toEvent({ ...message, moment: 'resolved' }, routingKey)
        await postJson(url, JSON.stringify(end), { fetch, signal })
      }
    },
  }
}

function toEvent({ moment, alert }: AlertMessage, routingKey: string) {
  const base = { routing_key: routingKey, dedup_key: toDedupKey(alert.dedupeKey) }
  if (moment === 'resolved') return { ...base, event_action: 'resolve' }
  return {
    ...base,
    event_action: 'trigger',
    client: 'Gatehouse',
    payload: {
      summary: clip(alert.title, SUMMARY_LENGTH_MAX),
      source: 'gatehouse',
      severity: SEVERITIES[alert.severity],
      timestamp: alert.raisedAt.toISOString(),
      class: alert.kind,
      ...(alert.organizationId === null ? {} : { group: alert.organizationId }),
      custom_details: { ...alert.detail, alert: alert.id },
    },
  }
}

function toDedupKey(dedupeKey: string): string {
  if (dedupeKey.length <= DEDUP_KEY_LENGTH_MAX) return dedupeKey
  return createHash('sha256').update(dedupeKey).digest('hex')
}
