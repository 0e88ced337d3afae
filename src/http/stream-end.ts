import type { GatewayError } from '../core/errors.ts'
import type { ReplyFrame } from '../pipeline/reply.ts'

export interface StreamEndOptions {
  /** Books the call. */
  readonly settle: (failure: GatewayError | undefined) => Promise<void>
  /** The provider has said what the call used. */
  readonly isUsageKnown: () => boolean
  /** @param isAll whether the body ends with these */
  readonly write: (frames: readonly ReplyFrame[], isAll: boolean) => void
}

/** The last frames of a stream: held until the call is booked, so that nobody has the end of a reply that is not. */
export interface StreamEnd {
  /** The last frames are here. */
  readonly isHeld: boolean
  readonly isBooked: boolean
  /** Why the stream broke. */
  readonly failure: GatewayError | undefined
  /** Takes frames to be written when the call is booked. */
  hold(frames: readonly ReplyFrame[], failure: GatewayError | undefined): void
  /** Books the call and ends the body: nothing more will come. @throws what kept frames from being written */
  send(): Promise<void>
  close(): void
}

/**
 * A provider ends its connection together with its reply, or at once afterwards; one that does not makes nobody wait
 * for longer than this.
 */
const END_WAIT_MS = 50
/** Where usage may still follow: that of Gemini may come behind the end of the reply. */
const USAGE_WAIT_MS = 1000

export function createStreamEnd(options: StreamEndOptions): StreamEnd {
  let held: ReplyFrame[] = []
  let isHeld = false
  let isBooked = false
  let failure: GatewayError | undefined
  let timer: NodeJS.Timeout | undefined
  let booking: Promise<void> | undefined
  /** Why frames could not be written before their time. */
  let defect: { readonly error: unknown } | undefined

  function book(): Promise<void> {
    clearTimeout(timer)
    booking ??= options.settle(failure).then(() => {
      isBooked = true
    })
    return booking
  }

  function write(isAll: boolean): void {
    const frames = held
    held = []
    options.write(frames, isAll)
  }

  function sendEarly(): void {
    book()
      .then(() => write(false))
      .catch((error: unknown) => {
        defect = { error }
      })
  }

  return {
    get isHeld() {
      return isHeld
    },
    get isBooked() {
      return isBooked
    },
    get failure() {
      return failure
    },
    hold(frames, why) {
      held.push(...frames)
      if (booking !== undefined) sendEarly()
      else {
        failure ??= why
        if (!isHeld) timer = setTimeout(sendEarly, options.isUsageKnown() ? END_WAIT_MS : USAGE_WAIT_MS)
      }
      isHeld = true
    },
    async send() {
      await book()
      if (defect !== undefined) throw defect.error
      write(true)
    },
    close: () => clearTimeout(timer),
  }
}
