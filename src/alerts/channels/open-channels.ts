import type { Secret } from '../../core/secret.ts'
import type { Channel } from './channel.ts'
import { discordChannel } from './discord.ts'
import { emailChannel } from './email.ts'
import { type AlertLogger, logChannel } from './log.ts'
import { pagerDutyChannel } from './pagerduty.ts'
import type { Fetch } from './post.ts'
import { slackChannel } from './slack.ts'
import { teamsChannel } from './teams.ts'
import { webhookChannel } from './webhook.ts'

/** A channel as the configuration describes it. */
export type ChannelSettings = { readonly name?: string | undefined } & (
  | { readonly kind: 'slack' | 'teams' | 'discord'; readonly url: Secret }
  | { readonly kind: 'webhook'; readonly url: Secret; readonly secret?: Secret | undefined }
  | {
      readonly kind: 'email'
      readonly smtpUrl: Secret
      readonly from: string
      readonly to: readonly string[]
    }
  | { readonly kind: 'pagerduty'; readonly routingKey: Secret }
)

export interface ChannelOptions {
  readonly logger: AlertLogger
  readonly now: () => number
  readonly fetch?: Fetch | undefined
  /** In place of PagerDuty's own, for tests. */
  readonly pagerDutyUrl?: string | undefined
}

/** @returns the log and what is configured, by name; one without a name has its kind's, numbered from the second on */
export function openChannels(
  settings: readonly ChannelSettings[],
  options: ChannelOptions,
): ReadonlyMap<string, Channel> {
  const log = logChannel(options.logger)
  const channels = new Map([[log.name, log]])
  for (const each of settings) {
    const wanted = each.name ?? each.kind
    let name = wanted
    for (let number = 2; channels.has(name); number++) name = `${wanted}-${number}`
    channels.set(name, openChannel(each, name, options))
  }
  return channels
}

function openChannel(settings: ChannelSettings, name: string, options: ChannelOptions): Channel {
  const { fetch, now } = options
  switch (settings.kind) {
    case 'slack':
      return slackChannel({ name, url: settings.url.reveal(), fetch })
    case 'teams':
      return teamsChannel({ name, url: settings.url.reveal(), fetch })
    case 'discord':
      return discordChannel({ name, url: settings.url.reveal(), fetch })
    case 'webhook':
      return webhookChannel({
        name,
        url: settings.url.reveal(),
        secret: settings.secret?.reveal(),
        now,
        fetch,
      })
    case 'email':
      return emailChannel({
        name,
        smtpUrl: settings.smtpUrl.reveal(),
        from: settings.from,
        to: settings.to,
      })
    case 'pagerduty':
      return pagerDutyChannel({
        name,
        routingKey: settings.routingKey.reveal(),
        url: options.pagerDutyUrl,
        fetch,
      })
  }
}
