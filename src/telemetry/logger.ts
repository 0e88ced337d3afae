import { pino } from 'pino'

/** Structured logs. Never prompts, replies, headers or keys. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export const SILENT_LOGGER: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** @returns a logger that writes one JSON object a line to standard error, so that output stays for people */
export function createLogger(level: 'debug' | 'info' | 'warn' | 'error'): Logger {
  const { err } = pino.stdSerializers
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: err, cause: err },
    },
    pino.destination(2),
  )
}
