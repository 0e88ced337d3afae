import type { Channel } from './channel.ts'

/** What the log channel needs of a logger. */
export interface AlertLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Always there: whatever else fails, the logs say it. */
export function logChannel(logger: AlertLogger): Channel {
  return {
    name: 'log',
    kind: 'log',
    async send({ moment, alert }) {
      const { id, kind, severity, organizationId, title, detail } = alert
      const fields = { alert: { moment, id, kind, severity, organizationId, title, detail } }
      if (moment !== 'raised') logger.info(fields, `alert ${moment}`)
      else if (severity === 'low' || severity === 'medium') logger.warn(fields, 'alert raised')
      else logger.error(fields, 'alert raised')
    },
  }
}
