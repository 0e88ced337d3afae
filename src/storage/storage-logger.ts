/** What this folder needs of a logger; pino's has it. */
export interface StorageLogger {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
  error(detail: object, message: string): void
}

export const SILENT: StorageLogger = { info() {}, warn() {}, error() {} }
