import type { AlertMessage, Channel } from './channel.ts'
import { postJson } from './post.ts'
import type { ChatOptions } from './slack.ts'
import { factsOf, headlineOf } from './wording.ts'

const COLORS = { low: 'Accent', medium: 'Warning', high: 'Attention', critical: 'Attention' } as const

/** Microsoft Teams, by a workflow that posts what its webhook receives. */
export function teamsChannel({ name, url, fetch }: ChatOptions): Channel {
  return {
    name,
    kind: 'teams',
    send: (message, signal) => postJson(url, JSON.stringify(toPayload(message)), { fetch, signal }),
  }
}

/**
 * An Adaptive Card in a message, the shape that the workflow's trigger takes:
 * https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
 */
function toPayload(message: AlertMessage) {
  const { moment, alert } = message
  const facts = [
    ...factsOf(message).map(({ label, value }) => ({ title: label, value })),
    { title: 'Kind', value: alert.kind },
    { title: 'Raised', value: alert.raisedAt.toISOString() },
    { title: 'Alert', value: alert.id },
  ]
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            {
              type: 'TextBlock',
              size: 'Medium',
              weight: 'Bolder',
              wrap: true,
              color: moment === 'raised' ? COLORS[alert.severity] : 'Good',
              text: headlineOf(message),
            },
            { type: 'FactSet', facts },
          ],
        },
      },
    ],
  }
}
