import { GatewayError } from '../../core/errors.ts'
import type { Month } from './ports.ts'

/** @throws GatewayError `invalid_request` where the text is no `YYYY-MM` */
export function parseMonth(text: string): Month {
  const match = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text)
  if (match === null) {
    throw new GatewayError('invalid_request', {
      message: `\`${text.slice(0, 32)}\` is no month: write it as YYYY-MM, for example 2026-02.`,
      param: 'month',
    })
  }
  const start = new Date(`${text}-01T00:00:00.000Z`)
  const end = new Date(start)
  end.setUTCMonth(end.getUTCMonth() + 1)
  return { name: text, start, end }
}

/** @returns the month that a day `2026-02-17` lies in, as `2026-02` */
export function monthOfDay(day: string): string {
  return day.slice(0, 7)
}
