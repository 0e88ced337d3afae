import type { Alert, AlertNote, AlertStore, Change, Delivery } from '../alerts/ports.ts'
import type { Database, Queryable } from './database.ts'
import { decodeCursor, toPage, toPageLimit } from './page-cursor.ts'
import { toStorableJson } from './storable-json.ts'

interface AlertRecord {
  readonly id: string
  readonly kind: string
  readonly severity: Alert['severity']
  readonly organization_id: string | null
  readonly dedupe_key: string
  readonly title: string
  readonly detail: Readonly<Record<string, unknown>>
  readonly status: Alert['status']
  readonly raised_at: Date
  readonly ends_at: Date | null
  readonly acknowledged_at: Date | null
  readonly acknowledged_by: string | null
  readonly resolved_at: Date | null
  readonly resolved_by: string | null
  readonly notes: readonly AlertNote[]
}

interface DeliveryRecord {
  readonly alert_id: string
  readonly event: Delivery['moment']
  readonly channel: string
  readonly attempts: number
  readonly next_attempt_at: Date | null
  readonly delivered_at: Date | null
  readonly last_error: string | null
}

const NAMES = [
  'id',
  'kind',
  'severity',
  'organization_id',
  'dedupe_key',
  'title',
  'detail',
  'status',
  'raised_at',
  'ends_at',
  'acknowledged_at',
  'acknowledged_by',
  'resolved_at',
  'resolved_by',
  'notes',
]
const COLUMNS = NAMES.join(', ')
const ERROR_LENGTH_MAX = 500

/** Alerts and the messages about them in SQL. What decides who raised one is the unique key, in the database. */
export function createAlertStore(database: Database): AlertStore {
  return {
    async raise(id, event, raisedAt, channels) {
      const { rows } = await database.query<AlertRecord>(
        `WITH raised AS (
           INSERT INTO alerts (id, kind, severity, organization_id, dedupe_key, title, detail, raised_at, ends_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::timestamptz, $9::timestamptz)
           ON CONFLICT (dedupe_key) DO NOTHING RETURNING ${COLUMNS}
         ), queued AS (
           INSERT INTO alert_deliveries (alert_id, event, channel, organization_id, next_attempt_at)
           SELECT id, 'raised', channel, organization_id, raised_at
           FROM raised, unnest($10::text[]) AS named (channel)
         )
         SELECT ${COLUMNS} FROM raised`,
        [
          id,
          event.kind,
          event.severity,
          event.organizationId,
          storable(event.dedupeKey),
          storable(event.title),
          toStorableJson(event.detail),
          raisedAt,
          event.endsAt ?? null,
          channels,
        ],
      )
      return first(rows)
    },

    async find(id) {
      const { rows } = await database.query<AlertRecord>(`SELECT ${COLUMNS} FROM alerts WHERE id = $1`, [id])
      return first(rows)
    },

    async list({ status, organizationId, kind, severity }, page) {
      const limit = toPageLimit(page.limit)
      const after = decodeCursor(page.cursor)
      const parameters: unknown[] = []
      const parameter = (value: unknown) => `$${parameters.push(value)}`
      const conditions = Object.entries({ status, organization_id: organizationId, kind, severity })
        .filter(([, value]) => value !== undefined)
        .map(([column, value]) => `${column} = ${parameter(value)}`)
      if (after !== undefined) {
        conditions.push(
          `(raised_at, id) < (${parameter(after.at)}::timestamptz, ${parameter(after.id)}::text)`,
        )
      }
      const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')} `
      const { rows } = await database.query<AlertRecord>(
        `SELECT ${COLUMNS} FROM alerts ${where}ORDER BY raised_at DESC, id DESC LIMIT ${parameter(limit + 1)}`,
        parameters,
      )
      const { data, nextCursor } = toPage(rows, limit, (row) => ({ at: row.raised_at, id: row.id }))
      return { data: data.map(fromRecord), nextCursor }
    },

    async listOpen(kind, max) {
      const { rows } = await database.query<AlertRecord>(
        `SELECT ${COLUMNS} FROM alerts WHERE kind = $1 AND status <> 'resolved' ORDER BY raised_at DESC LIMIT $2`,
        [kind, max],
      )
      return rows.map(fromRecord)
    },

    async deliveries(alertId) {
      const { rows } = await database.query<DeliveryRecord>(
        `SELECT alert_id, event, channel, attempts, next_attempt_at, delivered_at, last_error
         FROM alert_deliveries WHERE alert_id = $1 ORDER BY event, channel`,
        [alertId],
      )
      return rows.map(fromDeliveryRecord)
    },

    async acknowledge(id, change) {
      // Acknowledging again keeps the first who did, and adds the note.
      const { rows } = await database.query<AlertRecord>(
        `UPDATE alerts SET
           status = CASE WHEN status = 'active' THEN 'acknowledged' ELSE status END,
           acknowledged_at = CASE WHEN status = 'active' THEN $2::timestamptz ELSE acknowledged_at END,
           acknowledged_by = CASE WHEN status = 'active' THEN $3 ELSE acknowledged_by END,
           notes = notes || $4::jsonb
         WHERE id = $1 RETURNING ${COLUMNS}`,
        [id, change.at, change.by, toNotes(change)],
      )
      return first(rows)
    },

    async resolve(id, change, channels) {
      const resolved = await resolve(database, `id = $5`, [id], change, channels)
      if (resolved.length > 0) return first(resolved)
      const { rows } = await database.query<AlertRecord>(`SELECT ${COLUMNS} FROM alerts WHERE id = $1`, [id])
      return first(rows)
    },

    async resolveEnded(change, channels, max) {
      const condition = `id IN (SELECT id FROM alerts WHERE status <> 'resolved' AND ends_at <= $1::timestamptz
        ORDER BY ends_at LIMIT $5)`
      return (await resolve(database, condition, [max], change, channels)).length
    },

    async claimDeliveries(now, claimMs, without, max) {
      const { rows } = await database.query<AlertRecord & DeliveryRecord>(
        `WITH due AS (
           SELECT alert_id, event, channel FROM alert_deliveries AS delivery
           WHERE next_attempt_at <= $1::timestamptz AND channel <> ALL($4::text[])
             -- The end of something is told after its beginning, or a channel would take it for open still.
             AND (event = 'raised' OR NOT EXISTS (
               SELECT FROM alert_deliveries AS raised WHERE raised.alert_id = delivery.alert_id
                 AND raised.event = 'raised' AND raised.channel = delivery.channel
                 AND raised.next_attempt_at IS NOT NULL))
           ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED
         ), claimed AS (
           UPDATE alert_deliveries AS delivery SET attempts = delivery.attempts + 1, next_attempt_at = $2::timestamptz
           FROM due WHERE delivery.alert_id = due.alert_id AND delivery.event = due.event
             AND delivery.channel = due.channel
           RETURNING delivery.alert_id, delivery.event, delivery.channel, delivery.attempts
         )
         SELECT claimed.event, claimed.channel, claimed.attempts, ${NAMES.map((name) => `alerts.${name}`).join(', ')}
         FROM claimed JOIN alerts ON alerts.id = claimed.alert_id
         ORDER BY alerts.raised_at, alerts.id, claimed.event`,
        [now, new Date(now.getTime() + claimMs), max, without],
      )
      return rows.map((row) => ({
        alert: fromRecord(row),
        moment: row.event,
        channel: row.channel,
        attempts: row.attempts,
      }))
    },

    async markDelivered({ alertId, moment, channel }, at) {
      await database.query(
        `UPDATE alert_deliveries SET delivered_at = $4::timestamptz, next_attempt_at = NULL, last_error = NULL
         WHERE alert_id = $1 AND event = $2 AND channel = $3`,
        [alertId, moment, channel, at],
      )
    },

    async markFailed({ alertId, moment, channel }, error, retryAt) {
      await database.query(
        `UPDATE alert_deliveries SET next_attempt_at = $4::timestamptz, last_error = $5
         WHERE alert_id = $1 AND event = $2 AND channel = $3 AND delivered_at IS NULL`,
        [alertId, moment, channel, retryAt, storable(error).slice(0, ERROR_LENGTH_MAX)],
      )
    },

    async forget(before) {
      await database.query(`DELETE FROM alerts WHERE status = 'resolved' AND resolved_at < $1::timestamptz`, [
        before,
      ])
    },
  }
}

/**
 * Resolves what meets a condition. The channels that were to be told of the alert are told of its end.
 *
 * @param condition may use $1, the moment, and $5, the first of `more`
 */
async function resolve(
  database: Queryable,
  condition: string,
  more: readonly unknown[],
  change: Change,
  channels: readonly string[],
): Promise<AlertRecord[]> {
  const { rows } = await database.query<AlertRecord>(
    `WITH resolved AS (
       UPDATE alerts SET status = 'resolved', resolved_at = $1::timestamptz, resolved_by = $2,
         notes = notes || $3::jsonb
       WHERE status <> 'resolved' AND ${condition} RETURNING ${COLUMNS}
     ), queued AS (
       INSERT INTO alert_deliveries (alert_id, event, channel, organization_id, next_attempt_at)
       SELECT raised.alert_id, 'resolved', raised.channel, raised.organization_id, $1::timestamptz
       FROM resolved JOIN alert_deliveries AS raised ON raised.alert_id = resolved.id AND raised.event = 'raised'
       WHERE raised.channel = ANY($4::text[])
       ON CONFLICT DO NOTHING
     )
     SELECT ${COLUMNS} FROM resolved`,
    [change.at, change.by, toNotes(change), channels, ...more],
  )
  return rows
}

function toNotes({ at, by, note }: Change): string {
  return toStorableJson(note === undefined ? [] : [{ at: at.toISOString(), by, text: note }])
}

/** PostgreSQL holds neither zero characters nor halves of surrogate pairs. */
function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}

function first(rows: readonly AlertRecord[]): Alert | undefined {
  return rows[0] === undefined ? undefined : fromRecord(rows[0])
}

function fromRecord(record: AlertRecord): Alert {
  return {
    id: record.id,
    kind: record.kind,
    severity: record.severity,
    organizationId: record.organization_id,
    dedupeKey: record.dedupe_key,
    title: record.title,
    detail: record.detail,
    status: record.status,
    raisedAt: record.raised_at,
    endsAt: record.ends_at ?? undefined,
    acknowledgedAt: record.acknowledged_at,
    acknowledgedBy: record.acknowledged_by,
    resolvedAt: record.resolved_at,
    resolvedBy: record.resolved_by,
    notes: record.notes,
  }
}

function fromDeliveryRecord(record: DeliveryRecord): Delivery {
  return {
    alertId: record.alert_id,
    moment: record.event,
    channel: record.channel,
    attempts: record.attempts,
    nextAttemptAt: record.next_attempt_at,
    deliveredAt: record.delivered_at,
    lastError: record.last_error,
  }
}
