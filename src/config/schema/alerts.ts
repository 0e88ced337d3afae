import { z } from 'zod'
import { secretText, sensitiveText } from './text.ts'

const name = z.string().min(1).optional().describe('Name of the channel in rules and logs.')

const chat = (kind: 'slack' | 'teams' | 'discord', product: string) =>
  z
    .strictObject({
      kind: z.literal(kind).describe(`${product}.`),
      name,
      url: secretText('Address of the incoming webhook; whoever knows it can post.'),
    })
    .describe(`A channel of ${product}.`)

const channel = z.discriminatedUnion('kind', [
  chat('slack', 'Slack'),
  chat('teams', 'Microsoft Teams'),
  chat('discord', 'Discord'),
  z
    .strictObject({
      kind: z.literal('webhook').describe('Any HTTP endpoint.'),
      name,
      url: sensitiveText('Where alerts are posted as JSON.'),
      secret: secretText('Signs each post.').optional(),
    })
    .describe('Any HTTP endpoint.'),
  z
    .strictObject({
      kind: z.literal('email').describe('Mail.'),
      name,
      smtpUrl: secretText('Mail server, `smtps://user:password@host:465`.'),
      from: z.string().min(3).describe('Address of the sender.'),
      to: z.array(z.string().min(3)).min(1).describe('Addresses of the receivers.'),
    })
    .describe('Mail.'),
  z
    .strictObject({
      kind: z.literal('pagerduty').describe('PagerDuty, Events API v2.'),
      name,
      routingKey: secretText('Integration key of the service.'),
    })
    .describe('PagerDuty.'),
])

const share = (fallback: number, description: string) =>
  z.number().min(0).max(1).default(fallback).describe(description)
const amountUsd = (fallback: number, description: string) =>
  z.number().min(0).default(fallback).describe(description)

export const alertsSchema = z
  .strictObject({
    channels: z.array(channel).max(64).default([]).describe('Where alerts are sent.'),
    thresholds: z
      .strictObject({
        errorRate: share(0.05, 'Share of calls that fail.'),
        successRate: share(0.95, 'Least share of calls that succeed.'),
        latencyMs: z.number().min(0).default(5000).describe('Latency, in milliseconds.'),
        hourlyCostUsd: amountUsd(10, 'US dollars in an hour.'),
        dailyCostUsd: amountUsd(50, 'US dollars in a day.'),
      })
      .prefault({})
      .describe('When the built-in rules raise an alert.'),
  })
  .prefault({})
  .describe('Alerts.')
