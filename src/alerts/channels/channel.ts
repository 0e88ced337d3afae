import type { Alert, AlertMoment } from '../alert.ts'

/** What a channel is to tell people. */
export interface AlertMessage {
  /** `test`: only to see whether the channel works. */
  readonly moment: AlertMoment | 'test'
  readonly alert: Alert
}

/** One way to people. */
export interface Channel {
  /** Unique; what deliveries are kept under. */
  readonly name: string
  readonly kind: string
  /**
   * @returns once the other side has taken the message
   * @throws GatewayError `upstream_error` or `upstream_timeout`, in words that hold neither secret nor address
   */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>
}
