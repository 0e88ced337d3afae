import type { TargetName } from '../../pipeline/exchange.ts'

/** One target in the order of a call. Its reason is put into words when it is read: most are never tried. */
export class Choice implements TargetName {
  /** In the route as configured, from 0. */
  readonly place: number
  readonly provider: string
  readonly model: string
  readonly contextTokens: number | undefined
  private readonly because: string | (() => string)

  constructor(
    target: Omit<TargetName, 'reason'> & { readonly place: number },
    because: string | (() => string),
  ) {
    this.place = target.place
    this.provider = target.provider
    this.model = target.model
    this.contextTokens = target.contextTokens
    this.because = because
  }

  get reason(): string {
    return typeof this.because === 'string' ? this.because : this.because()
  }
}
