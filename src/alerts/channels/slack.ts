import type { AlertMessage, Channel } from './channel.ts'
import { type Fetch, postJson } from './post.ts'
import { clip, factsOf, headlineOf, textOf } from './wording.ts'

export interface ChatOptions {
  readonly name: string
  /** Of the incoming webhook. */
  readonly url: string
  readonly fetch?: Fetch | undefined
}

/** Lengths that Slack takes: https://docs.slack.dev/reference/block-kit/blocks (read November 2026). */
const HEADER_LENGTH_MAX = 150
const TEXT_LENGTH_MAX = 3000

export function slackChannel({ name, url, fetch }: ChatOptions): Channel {
  return {
    name,
    kind: 'slack',
    send: (message, signal) => postJson(url, JSON.stringify(toPayload(message)), { fetch, signal }),
  }
}

/** Blocks, and the same as plain text for notifications and readers that show no blocks. */
function toPayload(message: AlertMessage) {
  const { alert } = message
  const headline = headlineOf(message)
  const facts = factsOf(message).map(({ label, value }) => ({
    type: 'mrkdwn',
    text: `*${escapeMarkup(label)}*\n${escapeMarkup(value)}`,
  }))
  return {
    text: escapeMarkup(clip(textOf(message), TEXT_LENGTH_MAX)),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: clip(headline, HEADER_LENGTH_MAX) } },
      ...(headline.length > HEADER_LENGTH_MAX
        ? [{ type: 'section', text: { type: 'mrkdwn', text: escapeMarkup(clip(headline, TEXT_LENGTH_MAX)) } }]
        : []),
      // Ten fields are what a section holds, and what there are at most.
      ...(facts.length === 0 ? [] : [{ type: 'section', fields: facts }]),
      {
        type: 'context',
        elements: [
          {
            type: 'mrkdwn',
            text: escapeMarkup(`${alert.kind} · ${alert.raisedAt.toISOString()} · ${alert.id}`),
          },
        ],
      },
    ],
  }
}

/** The three characters that mean something to Slack: https://docs.slack.dev/messaging/formatting-message-text. */
function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
