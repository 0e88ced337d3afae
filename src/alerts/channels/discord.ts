import type { AlertMessage, Channel } from './channel.ts'
import { postJson } from './post.ts'
import type { ChatOptions } from './slack.ts'
import { clip, factsOf, headlineOf } from './wording.ts'

const COLORS = { low: 0x3b82f6, medium: 0xf59e0b, high: 0xef4444, critical: 0x991b1b } as const
const GOOD_COLOR = 0x22c55e
/** Discord's own bound: https://docs.discord.com/developers/resources/message#embed-object-embed-limits. */
const TITLE_LENGTH_MAX = 256

export function discordChannel({ name, url, fetch }: ChatOptions): Channel {
  return {
    name,
    kind: 'discord',
    send: (message, signal) => postJson(url, JSON.stringify(toPayload(message)), { fetch, signal }),
  }
}

function toPayload(message: AlertMessage) {
  const { moment, alert } = message
  return {
    // Names in an alert are of strangers: none of them may call everybody of a server.
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: clip(headlineOf(message), TITLE_LENGTH_MAX),
        color: moment === 'raised' ? COLORS[alert.severity] : GOOD_COLOR,
        fields: factsOf(message).map(({ label, value }) => ({
          name: label,
          value: value || '–',
          inline: true,
        })),
        footer: { text: `${alert.kind} · ${alert.id}` },
        timestamp: (alert.resolvedAt ?? alert.raisedAt).toISOString(),
      },
    ],
  }
}
